import type { Point } from "../core/ct";
import type { Editor } from "../core/editor";
import { toPixel } from "../core/view";

const WHEEL_NOTCH = 60;

/** Mouse, pen and finger on the picture. */
export class Pointer {
  private dragged: Point | null = null;
  private turned = 0;

  constructor(
    private readonly stage: HTMLElement,
    private readonly editor: Editor,
  ) {
    stage.addEventListener("pointerdown", (event) => this.down(event));
    stage.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"] as const) stage.addEventListener(end, () => this.up());
    stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    stage.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  private down(event: PointerEvent): void {
    this.stage.focus({ preventScroll: true });
    this.stage.setPointerCapture(event.pointerId);
    event.preventDefault();
    const moves = event.button !== 0 || this.editor.reading || this.editor.settings.tool === "hand";
    if (this.editor.reading && event.button === 0) this.editor.moveTo(this.pixel(event));
    if (moves) {
      this.dragged = this.screen(event);
      return;
    }
    this.editor.lift();
    this.editor.cursor = this.pixel(event);
    this.editor.press();
  }

  private move(event: PointerEvent): void {
    if (this.dragged) {
      const here = this.screen(event);
      this.editor.panBy({ x: here.x - this.dragged.x, y: here.y - this.dragged.y });
      this.dragged = here;
      return;
    }
    if (this.editor.reading) return;
    const drawing = this.editor.isPenDown || this.editor.contour.length > 0;
    // A fast pen is told of once a frame, with all the places that it has been to.
    const places = drawing ? event.getCoalescedEvents() : [];
    for (const place of places.length > 0 ? places : [event]) this.editor.moveTo(this.pixel(place));
  }

  private up(): void {
    this.dragged = null;
    this.editor.lift();
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    if (event.ctrlKey) this.editor.zoomAt(Math.exp(-event.deltaY / 300), this.screen(event));
    else this.turn(event);
  }

  private turn(event: WheelEvent): void {
    this.turned += event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * 20 : event.deltaY;
    const steps = Math.trunc(this.turned / WHEEL_NOTCH);
    this.turned -= steps * WHEEL_NOTCH;
    if (steps !== 0) this.editor.toSlice(this.editor.z - steps);
  }

  private screen(event: MouseEvent): Point {
    const box = this.stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  private pixel(event: MouseEvent): Point {
    return toPixel(this.editor.view, this.editor.ct, this.screen(event));
  }
}
