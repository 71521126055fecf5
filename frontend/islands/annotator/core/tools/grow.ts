import { type Ct, displacement, type Voxel } from "../ct";
import type { Mask } from "../mask";
import { borderOf, flood } from "./flood";
import { type Paint, paintPixel, type Range } from "./paint";

export interface Growth {
  seed: Voxel;
  label: number;
  /** HU that the mean of a voxel and its neighbors in the slice must have. */
  range: Range;
  /** mm from the seed. */
  radius: number;
  /** The only label that may be overwritten; other labels stop the growth. Absent, all may be. */
  over?: number | undefined;
}

/** "out_of_range": the seed itself has not the HU to grow from. */
export type Grown = "grown" | "unchanged" | "out_of_range";

/** The stack around the seed set upright: cell (k, j, i) is voxel (first + k, tops[k] + j, lefts[k] + i). */
interface Box {
  first: number;
  depth: number;
  rows: number;
  columns: number;
  tops: Int32Array;
  lefts: Int32Array;
}

const IN = 1;
const OUT = 2;

/** Slices that a growth may touch. */
export function slicesInReach(ct: Ct, { seed, radius }: Pick<Growth, "seed" | "radius">): number[] {
  const from = ct.offsets[seed.z] as number;
  return ct.offsets.flatMap((offset, z) => (Math.abs(offset - from) <= radius ? [z] : []));
}

/** Label what is connected with the seed (6-neighborhood) in range and in reach, and fill its holes on each slice. */
export function grow(ct: Ct, mask: Mask, growth: Growth): Grown {
  const { z, y, x } = growth.seed;
  if (!inRange(ct, z, y, x, growth.range)) return "out_of_range";
  const box = boxAround(ct, growth);
  const cells = connected(ct, mask, growth, box);
  const paint: Paint = { label: growth.label, over: growth.over };
  let changed = false;
  for (let k = 0; k < box.depth; k++) if (paintLayer(ct, mask, box, cells, k, paint)) changed = true;
  return changed ? "grown" : "unchanged";
}

function boxAround(ct: Ct, growth: Growth): Box {
  const slices = slicesInReach(ct, growth);
  const moves = slices.map((z) => displacement(ct, growth.seed.z, z));
  // One more row and column all around: holes are told from what is connected with the border of the box.
  const [top, bottom] = bounds(
    growth.seed.y,
    growth.radius / ct.spacing[0],
    ct.rows,
    moves.map(({ rows }) => rows),
  );
  const columns = moves.map((move) => move.columns);
  const [left, right] = bounds(growth.seed.x, growth.radius / ct.spacing[1], ct.columns, columns);
  return {
    first: slices[0] as number,
    depth: slices.length,
    rows: bottom - top + 1,
    columns: right - left + 1,
    tops: Int32Array.from(moves, (move) => top + move.rows),
    lefts: Int32Array.from(moves, (move) => left + move.columns),
  };
}

/** First and last index on the seed's slice that the reach, and some slice set upright, can hold. */
function bounds(seed: number, reach: number, count: number, moves: readonly number[]): [number, number] {
  const first = Math.max(Math.floor(seed - reach) - 2, -Math.max(...moves) - 1);
  return [first, Math.min(Math.ceil(seed + reach) + 2, count - Math.min(...moves))];
}

function connected(ct: Ct, mask: Mask, growth: Growth, box: Box): Uint8Array {
  const layer = box.rows * box.columns;
  const cells = new Uint8Array(box.depth * layer);
  const queue = new Int32Array(cells.length);
  const at = growth.seed.z - box.first;
  const [j, i] = [growth.seed.y - (box.tops[at] as number), growth.seed.x - (box.lefts[at] as number)];
  const steps = Int32Array.of(-1, 1, -box.columns, box.columns, -layer, layer);
  let [head, tail] = [0, 0];
  const seed = at * layer + j * box.columns + i;
  cells[seed] = admits(ct, mask, growth, box, seed) ? IN : OUT;
  if (cells[seed] === IN) queue[tail++] = seed;
  while (head < tail) {
    const cell = queue[head++] as number;
    for (let side = 0; side < 6; side++) {
      const next = cell + (steps[side] as number);
      // The rim of the box is out of reach, so that only steps out of its first or last layer leave it.
      if (next < 0 || next >= cells.length || cells[next] !== 0) continue;
      const admitted = admits(ct, mask, growth, box, next);
      cells[next] = admitted ? IN : OUT;
      if (admitted) queue[tail++] = next;
    }
  }
  return cells;
}

function admits(ct: Ct, mask: Mask, growth: Growth, box: Box, cell: number): boolean {
  const line = Math.floor(cell / box.columns);
  const k = Math.floor(line / box.rows);
  const z = box.first + k;
  const y = (box.tops[k] as number) + line - k * box.rows;
  const x = (box.lefts[k] as number) + cell - line * box.columns;
  if (y < 0 || y >= ct.rows || x < 0 || x >= ct.columns) return false;
  if (squaredDistance(ct, growth.seed, z, y, x) > growth.radius ** 2 + 1e-9) return false;
  if (growth.over !== undefined) {
    const label = mask.at(z, y * ct.columns + x);
    if (label !== growth.over && label !== growth.label) return false;
  }
  return inRange(ct, z, y, x, growth.range);
}

function squaredDistance(ct: Ct, seed: Voxel, z: number, y: number, x: number): number {
  const n = (ct.offsets[z] as number) - (ct.offsets[seed.z] as number);
  const v = (ct.rowShift[z] as number) - (ct.rowShift[seed.z] as number) + (y - seed.y) * ct.spacing[0];
  const u = (ct.columnShift[z] as number) - (ct.columnShift[seed.z] as number) + (x - seed.x) * ct.spacing[1];
  return n * n + v * v + u * u;
}

/** Whether the mean of 3 x 3 pixels is in range: single voxels are too noisy to grow by. */
function inRange(ct: Ct, z: number, y: number, x: number, { low, high }: Range): boolean {
  const [bottom, right] = [Math.min(y + 1, ct.rows - 1), Math.min(x + 1, ct.columns - 1)];
  let [sum, count] = [0, 0];
  for (let row = Math.max(y - 1, 0); row <= bottom; row++) {
    const start = (z * ct.rows + row) * ct.columns;
    for (let column = Math.max(x - 1, 0); column <= right; column++, count++) sum += ct.hu[start + column] as number;
  }
  return sum >= low * count && sum <= high * count;
}

/** Paint the cells of one layer that were reached, and its holes. */
function paintLayer(ct: Ct, mask: Mask, box: Box, cells: Uint8Array, k: number, paint: Paint): boolean {
  const layer = cells.subarray(k * box.rows * box.columns, (k + 1) * box.rows * box.columns);
  const outside = flood(layer, box.rows, box.columns, borderOf(box.rows, box.columns), IN);
  const [top, left] = [box.tops[k] as number, box.lefts[k] as number];
  let changed = false;
  for (let cell = 0; cell < layer.length; cell++) {
    if (outside[cell] === 1) continue;
    const row = Math.floor(cell / box.columns);
    const pixel = (top + row) * ct.columns + left + cell - row * box.columns;
    if (paintPixel(ct, mask, box.first + k, pixel, paint)) changed = true;
  }
  return changed;
}
