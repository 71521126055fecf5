import type { Ct } from "../ct";
import type { Mask } from "../mask";

/** HU, both ends included. */
export interface Range {
  low: number;
  high: number;
}

/** How a tool marks pixels. */
export interface Paint {
  /** The label to set; 0 erases. */
  label: number;
  /** HU that a voxel must have. */
  range?: Range | undefined;
  /** The only label that may be overwritten (0: background alone; with label 0: erase this one alone); absent, all. */
  over?: number | undefined;
}

/** Mark a pixel (y * columns + x) within a slice where the paint may go; says whether its label changed. */
export function paintPixel(ct: Ct, mask: Mask, z: number, pixel: number, paint: Paint): boolean {
  if (paint.over !== undefined && mask.at(z, pixel) !== paint.over) return false;
  if (paint.range) {
    const hu = ct.hu[z * mask.pixels + pixel] as number;
    if (hu < paint.range.low || hu > paint.range.high) return false;
  }
  return mask.put(z, pixel, paint.label);
}
