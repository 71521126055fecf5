import type { Ct, Point } from "../ct";
import { difference, type Edit, type Snapshot, snapshot } from "../history";
import type { Mask } from "../mask";
import { type Paint, paintPixel } from "./paint";

/** Paint all pixels whose center comes within a radius (mm) of the way between two points; says whether any changed. */
export function sweep(ct: Ct, mask: Mask, z: number, from: Point, to: Point, radius: number, paint: Paint): boolean {
  const [dy, dx] = ct.spacing;
  // No point is farther than half a pixel's diagonal from a center: the finest brush marks something and has no gaps.
  const reach = Math.max(radius, Math.hypot(dy, dx) / 2) + 1e-9;
  const top = Math.max(0, Math.ceil(Math.min(from.y, to.y) - reach / dy));
  const bottom = Math.min(ct.rows - 1, Math.floor(Math.max(from.y, to.y) + reach / dy));
  const left = Math.max(0, Math.ceil(Math.min(from.x, to.x) - reach / dx));
  const right = Math.min(ct.columns - 1, Math.floor(Math.max(from.x, to.x) + reach / dx));
  const [wayY, wayX] = [(to.y - from.y) * dy, (to.x - from.x) * dx];
  let changed = false;
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const squared = squaredToWay((y - from.y) * dy, (x - from.x) * dx, wayY, wayX);
      if (squared <= reach * reach && paintPixel(ct, mask, z, y * ct.columns + x, paint)) changed = true;
    }
  }
  return changed;
}

/** Squared distance of a point from the way that starts at 0. */
function squaredToWay(y: number, x: number, wayY: number, wayX: number): number {
  const squaredWay = wayY * wayY + wayX * wayX;
  const along = squaredWay > 0 ? Math.min(Math.max((y * wayY + x * wayX) / squaredWay, 0), 1) : 0;
  return (y - along * wayY) ** 2 + (x - along * wayX) ** 2;
}

/** A brush from its first touch to its lifting: one edit, however many moves. */
export class Stroke {
  private readonly before: Snapshot;
  private last: Point | null = null;

  constructor(
    private readonly ct: Ct,
    private readonly mask: Mask,
    readonly z: number,
    /** mm. */
    private readonly radius: number,
    private readonly paint: Paint,
  ) {
    this.before = snapshot(mask, [z]);
  }

  /** Go on to a point, or touch down on the first; says whether something changed. */
  to(point: Point): boolean {
    const from = this.last ?? point;
    this.last = point;
    return sweep(this.ct, this.mask, this.z, from, point, this.radius, this.paint);
  }

  end(): Edit | null {
    return difference(this.mask, this.before);
  }
}
