import { type Ct, grayInto, type Point, WINDOWS, type WindowName } from "../core/ct";
import type { CanvasData } from "../core/data";
import type { Mask } from "../core/mask";
import { toScreen, type View } from "../core/view";
import { contextOf } from "./context";
import { labelsInto, rimInto } from "./overlay";

/** Screen pixels of a voxel from which on its edges are shown as they are. */
const SHARP = 3;
const CURSOR = "#74bdf2";
const PIN = "#f0e442";
const WHITE = [255, 255, 255] as const;

export interface Shown {
  z: number;
  view: View;
  window: WindowName;
  outline: boolean;
  cursor: Point;
  /** Radius of the brush in mm; 0 where the tool has none. */
  radius: number;
  contour: readonly Point[];
}

/** A slice with its mask, cursor and pins. The pictures of the slice are kept until they change. */
export class AxialCanvas {
  private readonly gray = document.createElement("canvas");
  private readonly labels = document.createElement("canvas");
  private grayOf = "";
  private labelsOf = -1;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly ct: Ct,
    private readonly mask: Mask,
    /** Another mask, of which the rim is shown. */
    private readonly second: Mask | null,
    private readonly data: CanvasData,
  ) {
    for (const picture of [this.gray, this.labels]) [picture.width, picture.height] = [ct.columns, ct.rows];
  }

  /** The mask of these slices changed. */
  touch(slices: readonly number[]): void {
    if (slices.includes(this.labelsOf)) this.labelsOf = -1;
  }

  draw(shown: Shown): void {
    this.refresh(shown);
    const context = contextOf(this.canvas);
    if (!context) return;
    const scale = devicePixelRatio;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, shown.view.width, shown.view.height);
    const corner = toScreen(shown.view, this.ct, { x: -0.5, y: -0.5 });
    const end = toScreen(shown.view, this.ct, { x: this.ct.columns - 0.5, y: this.ct.rows - 0.5 });
    const box = [corner.x, corner.y, end.x - corner.x, end.y - corner.y] as const;
    context.imageSmoothingEnabled = shown.view.scale * Math.max(...this.ct.spacing) < SHARP;
    context.drawImage(this.gray, ...box);
    context.imageSmoothingEnabled = false;
    if (shown.outline) context.drawImage(this.labels, ...box);
    this.drawPins(context, shown);
    this.drawContour(context, shown);
    this.drawCursor(context, shown);
  }

  private refresh({ z, window, outline }: Shown): void {
    if (this.grayOf !== `${z} ${window}`) {
      this.grayOf = `${z} ${window}`;
      paint(this.gray, (pixels) => grayInto(this.ct, z, WINDOWS[window], pixels));
    }
    if (outline && this.labelsOf !== z) {
      this.labelsOf = z;
      const colors = this.data.labels.map(({ color }) => color);
      paint(this.labels, (pixels) => {
        labelsInto(this.mask.slice(z), this.ct.columns, colors, pixels);
        if (this.second) rimInto(this.second.slice(z), this.ct.columns, WHITE, pixels);
      });
    }
  }

  private drawPins(context: CanvasRenderingContext2D, { z, view }: Shown): void {
    context.strokeStyle = PIN;
    context.lineWidth = 2;
    for (const pin of this.data.remarks) {
      if (pin.slice !== z) continue;
      const { x, y } = toScreen(view, this.ct, { x: pin.column, y: pin.row });
      context.beginPath();
      context.arc(x, y, 9, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  private drawContour(context: CanvasRenderingContext2D, { view, contour }: Shown): void {
    if (contour.length === 0) return;
    context.strokeStyle = CURSOR;
    context.lineWidth = 1.5;
    context.beginPath();
    for (const point of contour) {
      const { x, y } = toScreen(view, this.ct, point);
      context.lineTo(x, y);
    }
    context.stroke();
  }

  private drawCursor(context: CanvasRenderingContext2D, { view, cursor, radius }: Shown): void {
    const { x, y } = toScreen(view, this.ct, cursor);
    context.strokeStyle = CURSOR;
    context.lineWidth = 1;
    context.beginPath();
    for (const [dx, dy] of [
      [1, 0],
      [-1, 0],
      [0, 1],
      [0, -1],
    ] as const) {
      context.moveTo(x + 5 * dx, y + 5 * dy);
      context.lineTo(x + 14 * dx, y + 14 * dy);
    }
    context.stroke();
    if (radius === 0) return;
    context.beginPath();
    context.arc(x, y, Math.max(radius * view.scale, 1), 0, 2 * Math.PI);
    context.stroke();
  }
}

function paint(canvas: HTMLCanvasElement, write: (pixels: Uint8ClampedArray) => void): void {
  const context = contextOf(canvas);
  if (!context) return;
  const picture = new ImageData(canvas.width, canvas.height);
  write(picture.data);
  context.putImageData(picture, 0, 0);
}
