/** A head CT as acquired: parallel slices from foot to head, whose gaps may differ and which may be displaced in plane. */
export interface Ct {
  slices: number;
  rows: number;
  columns: number;
  /** HU in the order (z, y, x), x fastest: y runs to the patient's back, x to his left. */
  hu: Int16Array;
  /** mm between rows, between columns. */
  spacing: readonly [number, number];
  /** mm along the normal that each slice stands for. */
  extents: readonly number[];
  /** mm along the normal, ascending. */
  offsets: readonly number[];
  /** mm: where the first voxel's center of each slice lies along the column direction (v). */
  rowShift: readonly number[];
  /** mm: the same along the row direction (u). */
  columnShift: readonly number[];
}

/** A place on a slice in pixels, fractions allowed: a whole number is a pixel's center. */
export interface Point {
  x: number;
  y: number;
}

export interface Voxel {
  z: number;
  y: number;
  x: number;
}

/** HU that become gray, from black at level - width / 2 to white at level + width / 2. */
export interface GrayWindow {
  width: number;
  level: number;
}

export const WINDOW_NAMES = ["brain", "subdural", "bone"] as const;
export type WindowName = (typeof WINDOW_NAMES)[number];
export const WINDOWS: Readonly<Record<WindowName, GrayWindow>> = {
  brain: { width: 90, level: 45 },
  subdural: { width: 200, level: 75 },
  bone: { width: 2500, level: 480 },
};

/** The window after this one, round and round; after a free one (null) the first. */
export function nextWindow(name: WindowName | null): WindowName {
  const next = name === null ? 0 : WINDOW_NAMES.indexOf(name) + 1;
  return WINDOW_NAMES[next % WINDOW_NAMES.length] as WindowName;
}

/** HU of a voxel; null outside the CT. */
export function huAt(ct: Ct, z: number, y: number, x: number): number | null {
  const inside = z >= 0 && z < ct.slices && y >= 0 && y < ct.rows && x >= 0 && x < ct.columns;
  return inside ? (ct.hu[(z * ct.rows + y) * ct.columns + x] as number) : null;
}

/** Write a slice as RGBA; the clamped array rounds and clips the gray. */
export function grayInto(ct: Ct, z: number, window: GrayWindow, out: Uint8ClampedArray): void {
  const pixels = ct.rows * ct.columns;
  grayOf(ct.hu.subarray(z * pixels, (z + 1) * pixels), window, out);
}

/** Write HU as RGBA. */
export function grayOf(hu: Int16Array | Float32Array, { width, level }: GrayWindow, out: Uint8ClampedArray): void {
  const low = level - width / 2;
  const scale = 255 / width;
  for (let i = 0, at = 0; i < hu.length; i++, at += 4) {
    const gray = ((hu[i] as number) - low) * scale;
    out[at] = gray;
    out[at + 1] = gray;
    out[at + 2] = gray;
    out[at + 3] = 255;
  }
}

/** The slice whose plane lies nearest to a place along the normal, mm. */
export function nearestSlice({ offsets }: Pick<Ct, "offsets">, offset: number): number {
  let nearest = 0;
  for (let z = 1; z < offsets.length; z++) {
    const nearer = Math.abs((offsets[z] as number) - offset) < Math.abs((offsets[nearest] as number) - offset);
    if (nearer) nearest = z;
  }
  return nearest;
}

/** Whole rows and columns by which the same place in the patient has moved on another slice (a tilted gantry). */
export function displacement(ct: Ct, from: number, to: number): { rows: number; columns: number } {
  return {
    rows: whole(((ct.rowShift[from] as number) - (ct.rowShift[to] as number)) / ct.spacing[0]),
    columns: whole(((ct.columnShift[from] as number) - (ct.columnShift[to] as number)) / ct.spacing[1]),
  };
}

/** Halves go away from 0, unlike Math.round: the way back is the way there. */
function whole(value: number): number {
  return Math.sign(value) * Math.round(Math.abs(value)) || 0;
}
