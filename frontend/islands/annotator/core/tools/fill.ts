import type { Ct } from "../ct";
import type { Mask } from "../mask";
import { borderOf, flood } from "./flood";
import { type Paint, paintPixel } from "./paint";

/** "open": the label does not enclose the place, and nothing was filled. */
export type Filled = "filled" | "open" | "unchanged";

/** Fill what the paint's label encloses around a pixel (whole y, x) of a slice. */
export function fillAround(ct: Ct, mask: Mask, z: number, y: number, x: number, paint: Paint): Filled {
  const region = flood(mask.slice(z), mask.rows, mask.columns, [y * mask.columns + x], paint.label);
  if (borderOf(mask.rows, mask.columns).some((pixel) => region[pixel] === 1)) return "open";
  let changed = false;
  for (let pixel = 0; pixel < region.length; pixel++) {
    if (region[pixel] === 1 && paintPixel(ct, mask, z, pixel, paint)) changed = true;
  }
  return changed ? "filled" : "unchanged";
}
