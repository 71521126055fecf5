/** Mark with 1 what is 4-connected with the seeds through anything but the barrier. */
export function flood(
  values: Uint8Array,
  rows: number,
  columns: number,
  seeds: readonly number[],
  barrier: number,
): Uint8Array {
  const reached = new Uint8Array(rows * columns);
  const stack = new Int32Array(rows * columns);
  const steps = Int32Array.of(-1, 1, -columns, columns);
  let height = 0;
  for (const seed of seeds) {
    if (values[seed] === barrier || reached[seed] === 1) continue;
    reached[seed] = 1;
    stack[height++] = seed;
  }
  while (height > 0) {
    const pixel = stack[--height] as number;
    const x = pixel % columns;
    for (let side = 0; side < 4; side++) {
      // A step to the side must not lead into the row above or below.
      if ((side === 0 && x === 0) || (side === 1 && x === columns - 1)) continue;
      const next = pixel + (steps[side] as number);
      if (next < 0 || next >= reached.length || reached[next] === 1 || values[next] === barrier) continue;
      reached[next] = 1;
      stack[height++] = next;
    }
  }
  return reached;
}

/** The outermost pixels. */
export function borderOf(rows: number, columns: number): number[] {
  const border: number[] = [];
  for (let x = 0; x < columns; x++) border.push(x, (rows - 1) * columns + x);
  for (let y = 0; y < rows; y++) border.push(y * columns, (y + 1) * columns - 1);
  return border;
}
