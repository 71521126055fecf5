import { type Ct, type GrayWindow, grayOf, nearestSlice, type Point, type Voxel } from "./ct";
import type { Mask } from "./mask";

/** A plane at right angles to the slices, seen with the head up, the patient's right or his face on the left. */
export interface Plane {
  kind: "coronal" | "sagittal";
  /** mm: where the plane lies along v (coronal) or u (sagittal). */
  at: number;
  /** Pixels. */
  width: number;
  height: number;
  /** mm: edge of the square pixels. */
  pixel: number;
  /** mm: centers of the first column, along u (coronal) or v (sagittal), and of the top row, along the normal. */
  left: number;
  top: number;
}

/** One of a slice's two axes in the array and in mm. */
interface Axis {
  count: number;
  stride: number;
  spacing: number;
  shift: readonly number[];
}

const AIR_HU = -1000;

/** The coronal plane through row y of slice z. */
export function coronal(ct: Ct, z: number, y: number): Plane {
  return planeOf(ct, "coronal", z, y);
}

/** The sagittal plane through column x of slice z. */
export function sagittal(ct: Ct, z: number, x: number): Plane {
  return planeOf(ct, "sagittal", z, x);
}

function axesOf(ct: Ct, kind: Plane["kind"]): { along: Axis; across: Axis } {
  const y = { count: ct.rows, stride: ct.columns, spacing: ct.spacing[0], shift: ct.rowShift };
  const x = { count: ct.columns, stride: 1, spacing: ct.spacing[1], shift: ct.columnShift };
  return kind === "coronal" ? { along: x, across: y } : { along: y, across: x };
}

function planeOf(ct: Ct, kind: Plane["kind"], z: number, index: number): Plane {
  const { along, across } = axesOf(ct, kind);
  const pixel = along.spacing;
  const left = Math.min(...along.shift);
  // The end slices are shown as thick as they count in the volume.
  const last = ct.slices - 1;
  const bottom = (ct.offsets[0] as number) - (ct.extents[0] as number) / 2;
  const top = (ct.offsets[last] as number) + (ct.extents[last] as number) / 2;
  return {
    kind,
    at: (across.shift[z] as number) + index * across.spacing,
    width: along.count + Math.ceil((Math.max(...along.shift) - left) / pixel - 1e-6),
    height: Math.max(1, Math.round((top - bottom) / pixel)),
    pixel,
    left,
    top: top - pixel / 2,
  };
}

/** Write the plane as RGBA: linear between the slices by their true offsets, in place whatever the tilt. */
export function planeGrayInto(ct: Ct, plane: Plane, window: GrayWindow, out: Uint8ClampedArray): void {
  const lines = linesOf(ct, plane);
  const hu = new Float32Array(plane.width * plane.height);
  let above = ct.slices - 1;
  for (let row = 0; row < plane.height; row++) {
    const offset = plane.top - row * plane.pixel;
    while (above > 1 && (ct.offsets[above - 1] as number) >= offset) above--;
    const below = Math.max(above - 1, 0);
    const [low, high] = [ct.offsets[below] as number, ct.offsets[above] as number];
    // Beyond the outermost slices there is nothing to interpolate with: they are held.
    const weight = high > low ? Math.min(Math.max((offset - low) / (high - low), 0), 1) : 0;
    for (let column = 0; column < plane.width; column++) {
      const from = lines[below * plane.width + column] as number;
      const to = lines[above * plane.width + column] as number;
      hu[row * plane.width + column] = from + weight * (to - from);
    }
  }
  grayOf(hu, window, out);
}

/** HU where the plane cuts each slice, on the plane's columns: resampled once a slice, not once a pixel. */
function linesOf(ct: Ct, plane: Plane): Float32Array {
  const { along, across } = axesOf(ct, plane.kind);
  const lines = new Float32Array(ct.slices * plane.width);
  for (let z = 0; z < ct.slices; z++) {
    const start = z * ct.rows * ct.columns;
    const depth = (plane.at - (across.shift[z] as number)) / across.spacing;
    const near = Math.floor(depth);
    const first = (plane.left - (along.shift[z] as number)) / along.spacing;
    const floor = Math.floor(first);
    for (let column = 0; column < plane.width; column++) {
      const i = floor + column;
      const here = between(ct.hu, start, along, across, near, depth - near, i);
      const next = between(ct.hu, start, along, across, near, depth - near, i + 1);
      lines[z * plane.width + column] = here + (first - floor) * (next - here);
    }
  }
  return lines;
}

/** Linear between two neighbors across the plane; outside the slice is air. */
function between(
  hu: Int16Array,
  start: number,
  along: Axis,
  across: Axis,
  near: number,
  weight: number,
  i: number,
): number {
  if (i < 0 || i >= along.count) return AIR_HU;
  const at = start + i * along.stride;
  const here = near >= 0 && near < across.count ? (hu[at + near * across.stride] as number) : AIR_HU;
  if (weight === 0) return here;
  const far = near + 1;
  const next = far >= 0 && far < across.count ? (hu[at + far * across.stride] as number) : AIR_HU;
  return here + weight * (next - here);
}

/** Write the labels of the plane, of the nearest slice and its nearest pixel. */
export function planeLabelsInto(ct: Ct, plane: Plane, mask: Mask, out: Uint8Array): void {
  const { along, across } = axesOf(ct, plane.kind);
  for (let row = 0; row < plane.height; row++) {
    const z = nearestSlice(ct, plane.top - row * plane.pixel);
    const depth = Math.round((plane.at - (across.shift[z] as number)) / across.spacing);
    const first = Math.round((plane.left - (along.shift[z] as number)) / along.spacing);
    const start = z * mask.pixels + depth * across.stride;
    const cut = depth >= 0 && depth < across.count;
    for (let column = 0; column < plane.width; column++) {
      const i = first + column;
      const inside = cut && i >= 0 && i < along.count;
      out[row * plane.width + column] = inside ? (mask.labels[start + i * along.stride] as number) : 0;
    }
  }
}

/** The voxel nearest to a place in the plane, held within the CT. */
export function voxelAt(ct: Ct, plane: Plane, { x, y }: Point): Voxel {
  const z = nearestSlice(ct, plane.top - y * plane.pixel);
  const { along, across } = axesOf(ct, plane.kind);
  const i = nearestIndex(along, z, plane.left + x * plane.pixel);
  const depth = nearestIndex(across, z, plane.at);
  return plane.kind === "coronal" ? { z, y: depth, x: i } : { z, y: i, x: depth };
}

/** Where a voxel lies in the plane, seen at right angles to it. */
export function pointOf(ct: Ct, plane: Plane, { z, y, x }: Voxel): Point {
  const { along } = axesOf(ct, plane.kind);
  const place = (along.shift[z] as number) + (plane.kind === "coronal" ? x : y) * along.spacing;
  return { x: (place - plane.left) / plane.pixel, y: (plane.top - (ct.offsets[z] as number)) / plane.pixel };
}

function nearestIndex(axis: Axis, z: number, place: number): number {
  const index = Math.round((place - (axis.shift[z] as number)) / axis.spacing);
  return Math.min(Math.max(index, 0), axis.count - 1);
}
