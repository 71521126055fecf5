import { type Ct, displacement } from "../ct";
import { BACKGROUND } from "../labels";
import type { Mask } from "../mask";
import { type Paint, paintPixel } from "./paint";

/** Add the paint's label of one slice to another, at the same place in the patient; says whether any pixel changed. */
export function copyLabel(ct: Ct, mask: Mask, from: number, to: number, paint: Paint): boolean {
  const labels = mask.slice(from);
  const moved = displacement(ct, from, to);
  let changed = false;
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] !== paint.label) continue;
    const y = Math.floor(i / ct.columns) + moved.rows;
    const x = (i % ct.columns) + moved.columns;
    if (y < 0 || y >= ct.rows || x < 0 || x >= ct.columns) continue;
    if (paintPixel(ct, mask, to, y * ct.columns + x, paint)) changed = true;
  }
  return changed;
}

/** Take a label off a slice; says whether there was any. */
export function clearLabel(mask: Mask, z: number, label: number): boolean {
  if (label === BACKGROUND || mask.count(z, label) === 0) return false;
  const labels = mask.slice(z);
  for (let pixel = 0; pixel < labels.length; pixel++) if (labels[pixel] === label) mask.put(z, pixel, BACKGROUND);
  return true;
}
