import type { Ct, Point } from "../ct";
import type { Mask } from "../mask";
import { type Paint, paintPixel } from "./paint";

/**
 * Fill a closed contour (even-odd): a pixel belongs when its center is inside. Centers on a left or upper edge are
 * inside, on a right or lower one outside, so that contours side by side share no pixel. Says whether any changed.
 */
export function fillContour(ct: Ct, mask: Mask, z: number, contour: readonly Point[], paint: Paint): boolean {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { y } of contour) [least, most] = [Math.min(least, y), Math.max(most, y)];
  const bottom = Math.min(ct.rows - 1, Math.floor(most));
  let changed = false;
  for (let y = Math.max(0, Math.ceil(least)); y <= bottom; y++) {
    const found = crossings(contour, y);
    for (let i = 0; i + 1 < found.length; i += 2) {
      const end = Math.min(found[i + 1] as number, ct.columns);
      for (let x = Math.max(0, Math.ceil(found[i] as number)); x < end; x++) {
        if (paintPixel(ct, mask, z, y * ct.columns + x, paint)) changed = true;
      }
    }
  }
  return changed;
}

/** Where the contour crosses a row, from left to right. */
function crossings(contour: readonly Point[], y: number): number[] {
  const found: number[] = [];
  let from = contour.at(-1) as Point;
  for (const to of contour) {
    if (from.y <= y !== to.y <= y) found.push(from.x + ((y - from.y) / (to.y - from.y)) * (to.x - from.x));
    from = to;
  }
  return found.sort((a, b) => a - b);
}
