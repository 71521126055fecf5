import type { Ct } from "../ct";
import { type Mask, slicesWith } from "../mask";
import { signedDistance } from "./distance";
import { type Paint, paintPixel } from "./paint";

/** A box in pixels of a slice whose first voxel lay at 0 mm: the same place on all slices. May be fractional. */
interface Box {
  top: number;
  left: number;
  bottom: number;
  right: number;
}

/** Signed distances (mm) around a shape; its first pixel is (top, left) of the slice. */
interface Field {
  values: Float64Array;
  top: number;
  left: number;
  columns: number;
  z: number;
}

/** Neighboring slices that hold a label with some between that do not. */
export function gapsOf(mask: Mask, label: number): [number, number][] {
  const drawn = slicesWith(mask, label);
  return drawn.flatMap((to, i): [number, number][] => {
    const from = drawn[i - 1];
    return from === undefined || to - from < 2 ? [] : [[from, to]];
  });
}

/**
 * Fill the gaps of the paint's label by shape-based interpolation: Raya and Udupa, IEEE Trans Med Imaging
 * 1990;9:32-42. Returns the slices filled.
 */
export function interpolate(ct: Ct, mask: Mask, paint: Paint): number[] {
  const filled: number[] = [];
  for (const [from, to] of gapsOf(mask, paint.label)) {
    const box = join(boxOf(ct, mask, from, paint.label), boxOf(ct, mask, to, paint.label));
    const lower = fieldOf(ct, mask, from, paint.label, box);
    const upper = fieldOf(ct, mask, to, paint.label, box);
    for (let z = from + 1; z < to; z++) if (fillBetween(ct, mask, z, lower, upper, box, paint)) filled.push(z);
  }
  return filled;
}

function shiftOf(ct: Ct, z: number): { y: number; x: number } {
  return { y: (ct.rowShift[z] as number) / ct.spacing[0], x: (ct.columnShift[z] as number) / ct.spacing[1] };
}

function boxOf(ct: Ct, mask: Mask, z: number, label: number): Box {
  const labels = mask.slice(z);
  let [top, left, bottom, right] = [ct.rows, ct.columns, -1, -1];
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] !== label) continue;
    bottom = Math.floor(i / ct.columns);
    top = Math.min(top, bottom);
    left = Math.min(left, i - bottom * ct.columns);
    right = Math.max(right, i - bottom * ct.columns);
  }
  const { y, x } = shiftOf(ct, z);
  return { top: top + y, left: left + x, bottom: bottom + y, right: right + x };
}

function join(a: Box, b: Box): Box {
  return {
    top: Math.min(a.top, b.top),
    left: Math.min(a.left, b.left),
    bottom: Math.max(a.bottom, b.bottom),
    right: Math.max(a.right, b.right),
  };
}

/** Distances over the box and two pixels around it: beyond the slice nothing belongs to the shape. */
function fieldOf(ct: Ct, mask: Mask, z: number, label: number, box: Box): Field {
  const { y, x } = shiftOf(ct, z);
  const [top, left] = [Math.floor(box.top - y) - 2, Math.floor(box.left - x) - 2];
  const rows = Math.ceil(box.bottom - y) + 3 - top;
  const columns = Math.ceil(box.right - x) + 3 - left;
  const inside = new Uint8Array(rows * columns);
  for (let row = Math.max(0, -top); row < Math.min(rows, ct.rows - top); row++) {
    for (let column = Math.max(0, -left); column < Math.min(columns, ct.columns - left); column++) {
      if (mask.at(z, (top + row) * ct.columns + left + column) === label) inside[row * columns + column] = 1;
    }
  }
  return { values: signedDistance(inside, rows, columns, ct.spacing), top, left, columns, z };
}

function fillBetween(ct: Ct, mask: Mask, z: number, lower: Field, upper: Field, box: Box, paint: Paint): boolean {
  const [from, to] = [ct.offsets[lower.z] as number, ct.offsets[upper.z] as number];
  const weight = ((ct.offsets[z] as number) - from) / (to - from);
  const here = shiftOf(ct, z);
  const [below, above] = [shiftOf(ct, lower.z), shiftOf(ct, upper.z)];
  const bottom = Math.min(ct.rows - 1, Math.floor(box.bottom - here.y));
  const right = Math.min(ct.columns - 1, Math.floor(box.right - here.x));
  let changed = false;
  for (let y = Math.max(0, Math.ceil(box.top - here.y)); y <= bottom; y++) {
    for (let x = Math.max(0, Math.ceil(box.left - here.x)); x <= right; x++) {
      const low = sample(lower, y + here.y - below.y, x + here.x - below.x);
      const high = sample(upper, y + here.y - above.y, x + here.x - above.x);
      if (low + weight * (high - low) > 0) continue;
      if (paintPixel(ct, mask, z, y * ct.columns + x, paint)) changed = true;
    }
  }
  return changed;
}

/** Linear between the four pixels around a place. */
function sample({ values, top, left, columns }: Field, y: number, x: number): number {
  const [row, column] = [Math.floor(y), Math.floor(x)];
  const [down, across] = [y - row, x - column];
  const at = (row - top) * columns + column - left;
  const first = (values[at] as number) * (1 - across) + (values[at + 1] as number) * across;
  const second = (values[at + columns] as number) * (1 - across) + (values[at + columns + 1] as number) * across;
  return first * (1 - down) + second * down;
}
