import { type Ct, type Voxel, WINDOWS, type WindowName } from "../core/ct";
import type { CanvasData } from "../core/data";
import type { Mask } from "../core/mask";
import { coronal, type Plane, planeGrayInto, planeLabelsInto, pointOf, sagittal, voxelAt } from "../core/planes";
import { contextOf } from "./context";
import { labelsInto } from "./overlay";

/** A coronal or sagittal plane through the cursor; a click in it moves the cursor. */
export class PlaneCanvas {
  private plane: Plane | null = null;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly kind: Plane["kind"],
    private readonly ct: Ct,
    private readonly mask: Mask,
    private readonly data: CanvasData,
    go: (voxel: Voxel) => void,
  ) {
    canvas.addEventListener("pointerdown", (event) => {
      const box = canvas.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * canvas.width - 0.5;
      const y = ((event.clientY - box.top) / box.height) * canvas.height - 0.5;
      if (this.plane) go(voxelAt(ct, this.plane, { x, y }));
    });
  }

  draw(at: Voxel, window: WindowName, outline: boolean): void {
    const plane = this.kind === "coronal" ? coronal(this.ct, at.z, at.y) : sagittal(this.ct, at.z, at.x);
    const context = contextOf(this.canvas);
    if (!context) return;
    if (this.canvas.width !== plane.width || this.canvas.height !== plane.height) {
      [this.canvas.width, this.canvas.height] = [plane.width, plane.height];
    }
    this.plane = plane;
    const gray = new ImageData(plane.width, plane.height);
    planeGrayInto(this.ct, plane, WINDOWS[window], gray.data);
    if (outline) this.blend(plane, gray.data);
    context.putImageData(gray, 0, 0);
    this.drawCross(context, plane, at);
  }

  private blend(plane: Plane, gray: Uint8ClampedArray): void {
    const labels = new Uint8Array(plane.width * plane.height);
    planeLabelsInto(this.ct, plane, this.mask, labels);
    const colors = new Uint8ClampedArray(gray.length);
    labelsInto(
      labels,
      plane.width,
      this.data.labels.map(({ color }) => color),
      colors,
    );
    for (let at = 0; at < gray.length; at += 4) {
      const share = (colors[at + 3] as number) / 255;
      if (share === 0) continue;
      for (let c = at; c < at + 3; c++) gray[c] = (gray[c] as number) * (1 - share) + (colors[c] as number) * share;
    }
  }

  private drawCross(context: CanvasRenderingContext2D, plane: Plane, at: Voxel): void {
    const { x, y } = pointOf(this.ct, plane, at);
    context.strokeStyle = "#74bdf2";
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(0, y + 0.5);
    context.lineTo(plane.width, y + 0.5);
    context.moveTo(x + 0.5, 0);
    context.lineTo(x + 0.5, plane.height);
    context.stroke();
  }
}
