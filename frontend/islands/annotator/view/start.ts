import { part, readJson } from "../../mount";
import type { Ct } from "../core/ct";
import type { CanvasData } from "../core/data";
import { Editor } from "../core/editor";
import { actionForKey } from "../core/keys";
import type { Mask } from "../core/mask";
import { resize } from "../core/view";
import { AxialCanvas } from "./axial";
import { loadCt, loadMask } from "./load";
import { Panel } from "./panel";
import { PlaneCanvas } from "./planes";
import { Pointer } from "./pointer";
import { connectRemarks } from "./remarks";
import { connectSaving } from "./saving";

/** Load the CT and its mask, then let the person draw. */
export async function start(root: HTMLElement): Promise<void> {
  const data = readJson(root.dataset.canvas) as CanvasData;
  const loading = part(root, "loading");
  try {
    const { labels, second } = data.urls;
    const [ct, mask, other] = await Promise.all([
      loadCt(data),
      loadMask(data, labels),
      second === undefined ? null : loadMask(data, second),
    ]);
    new Annotator(root, data, ct, mask, other);
    loading.hidden = true;
    // After the first picture, which was asked for before.
    requestAnimationFrame(() => {
      root.dataset.ready = "";
    });
  } catch {
    loading.setAttribute("role", "alert");
    loading.textContent = root.dataset.textFailed ?? "";
  }
}

/** Joins the editor with what shows it, moves it and saves it. */
class Annotator {
  private readonly editor: Editor;
  private readonly panel: Panel;
  private readonly axial: AxialCanvas;
  private readonly planes: PlaneCanvas[];
  private readonly canvas: HTMLCanvasElement;
  private readonly stage: HTMLElement;
  private readonly touched: (slices: readonly number[]) => void;
  private readonly moved: () => void;
  private frame = 0;
  private planesAt = "";

  constructor(root: HTMLElement, data: CanvasData, ct: Ct, mask: Mask, second: Mask | null) {
    this.stage = part(root, "stage");
    this.canvas = part<HTMLCanvasElement>(root, "axial");
    this.editor = new Editor(ct, mask, data.reading === true, {
      shown: () => this.redraw(),
      drawn: (slices, done) => this.drawn(slices, done),
      note: (note) => this.panel.note(note),
    });
    this.panel = new Panel(root, this.editor, data);
    this.axial = new AxialCanvas(this.canvas, ct, mask, second, data);
    this.planes = (["coronal", "sagittal"] as const).map(
      (kind) => new PlaneCanvas(part(root, kind), kind, ct, mask, data, (voxel) => this.editor.go(voxel)),
    );
    this.touched = connectSaving(root, data, this.editor);
    this.moved = connectRemarks(this.editor);
    new Pointer(this.stage, this.editor);
    this.stage.addEventListener("keydown", (event) => this.press(event));
    new ResizeObserver(() => this.resized()).observe(this.stage);
    this.resized();
    this.panel.showMilliliters();
  }

  private press(event: KeyboardEvent): void {
    const action = actionForKey(event);
    if (!action) return;
    event.preventDefault();
    if (action.kind === "help") this.panel.help();
    else this.editor.act(action);
  }

  private drawn(slices: readonly number[], done: boolean): void {
    this.axial.touch(slices);
    this.planesAt = "";
    this.panel.showMilliliters();
    if (done) this.touched(slices);
    this.redraw();
  }

  private resized(): void {
    const { clientWidth, clientHeight } = this.stage;
    if (clientWidth === 0) return;
    this.canvas.width = Math.round(clientWidth * devicePixelRatio);
    this.canvas.height = Math.round(clientHeight * devicePixelRatio);
    this.editor.look(resize(this.editor.view, this.editor.ct, clientWidth, clientHeight));
  }

  /** Once a frame, however much happens in it. */
  private redraw(): void {
    if (this.frame !== 0) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  private draw(): void {
    const { editor } = this;
    const { window, outline } = editor.settings;
    const { z, view, cursor, radius, contour } = editor;
    this.axial.draw({ z, view, window, outline, cursor, radius, contour });
    // While a stroke goes on the rest stays: it would slow the pen, and show nothing that is not seen where it is drawn.
    if (editor.isPenDown) return;
    this.panel.show();
    this.moved();
    const at = editor.voxel;
    const planesAt = `${at.z} ${at.y} ${at.x} ${window} ${outline}`;
    if (planesAt === this.planesAt) return;
    this.planesAt = planesAt;
    for (const plane of this.planes) plane.draw(at, window, outline);
  }
}
