/**
 * Signed distance in mm of every pixel from the edge of a shape, negative inside. The edge runs half a pixel beyond the
 * outermost centers. Exact, in two passes: Felzenszwalb and Huttenlocher, Theory of Computing 2012;8:415-428. The shape
 * must have an inside and an outside.
 */
export function signedDistance(
  inside: Uint8Array,
  rows: number,
  columns: number,
  spacing: readonly [number, number],
): Float64Array {
  const toInside = squaredDistance(inside, rows, columns, spacing, 1);
  const toOutside = squaredDistance(inside, rows, columns, spacing, 0);
  const half = Math.min(...spacing) / 2;
  for (let i = 0; i < inside.length; i++) {
    const outer = Math.sqrt(toInside[i] as number) - half;
    toInside[i] = inside[i] === 1 ? half - Math.sqrt(toOutside[i] as number) : outer;
  }
  return toInside;
}

/** Squared mm from every pixel to the nearest one with the value wanted; Infinity if there is none. */
export function squaredDistance(
  values: Uint8Array,
  rows: number,
  columns: number,
  [dy, dx]: readonly [number, number],
  wanted: number,
): Float64Array {
  const squared = alongColumns(values, rows, columns, dy, wanted);
  const parabolas = new Int32Array(columns);
  const starts = new Float64Array(columns);
  const heights = new Float64Array(columns);
  for (let y = 0; y < rows; y++) {
    const row = squared.subarray(y * columns, (y + 1) * columns);
    heights.set(row);
    lowerEnvelope(heights, dx, parabolas, starts, row);
  }
  return squared;
}

/** First pass: squared mm to the nearest within the column, by a sweep down and one up. */
function alongColumns(values: Uint8Array, rows: number, columns: number, dy: number, wanted: number): Float64Array {
  const squared = new Float64Array(values.length);
  for (let x = 0; x < columns; x++) {
    let steps = Number.POSITIVE_INFINITY;
    for (let i = x; i < values.length; i += columns) {
      steps = values[i] === wanted ? 0 : steps + 1;
      squared[i] = (steps * dy) ** 2;
    }
    steps = Number.POSITIVE_INFINITY;
    for (let i = (rows - 1) * columns + x; i >= 0; i -= columns) {
      steps = values[i] === wanted ? 0 : steps + 1;
      squared[i] = Math.min(squared[i] as number, (steps * dy) ** 2);
    }
  }
  return squared;
}

/** Second pass: the least of the parabolas heights[q] + (step (x - q))^2 at every x of a row. */
function lowerEnvelope(
  heights: Float64Array,
  step: number,
  parabolas: Int32Array,
  starts: Float64Array,
  out: Float64Array,
): void {
  let last = -1;
  for (let q = 0; q < heights.length; q++) {
    if (heights[q] === Number.POSITIVE_INFINITY) continue;
    let start = Number.NEGATIVE_INFINITY;
    for (; last >= 0; last--) {
      start = meeting(heights, step, parabolas[last] as number, q);
      if (start > (starts[last] as number)) break;
    }
    parabolas[++last] = q;
    starts[last] = last === 0 ? Number.NEGATIVE_INFINITY : start;
  }
  if (last < 0) return;
  for (let x = 0, lowest = 0; x < heights.length; x++) {
    while (lowest < last && (starts[lowest + 1] as number) < x) lowest++;
    const q = parabolas[lowest] as number;
    out[x] = (heights[q] as number) + (step * (x - q)) ** 2;
  }
}

/** Where the parabola of q comes to lie below that of p, p < q. */
function meeting(heights: Float64Array, step: number, p: number, q: number): number {
  return (q + p) / 2 + ((heights[q] as number) - (heights[p] as number)) / (2 * step * step * (q - p));
}
