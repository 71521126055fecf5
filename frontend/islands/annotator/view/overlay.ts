type Color = readonly [number, number, number];

/** Opacity of a label's rim, and of what lies within it: the tissue must be seen through it. */
const RIM = 255;
const WITHIN = 60;

/** Write labels as RGBA, see-through where there are none; `colors` of label 1, 2, ... */
export function labelsInto(
  labels: Uint8Array,
  columns: number,
  colors: readonly Color[],
  out: Uint8ClampedArray,
): void {
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i] as number;
    if (label !== 0) put(out, i, colors[label - 1] ?? [255, 255, 255], isInner(labels, columns, i) ? WITHIN : RIM);
  }
}

/** Write the rims of labels in one color over what is there. */
export function rimInto(labels: Uint8Array, columns: number, color: Color, out: Uint8ClampedArray): void {
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] !== 0 && !isInner(labels, columns, i)) put(out, i, color, RIM);
  }
}

/** Whether the four neighbors of a pixel have its label; beyond the slice nothing has one. */
function isInner(labels: Uint8Array, columns: number, i: number): boolean {
  const column = i % columns;
  const label = labels[i];
  return (
    column > 0 &&
    column < columns - 1 &&
    labels[i - 1] === label &&
    labels[i + 1] === label &&
    labels[i - columns] === label &&
    labels[i + columns] === label
  );
}

function put(out: Uint8ClampedArray, pixel: number, color: Color, opacity: number): void {
  out[4 * pixel] = color[0];
  out[4 * pixel + 1] = color[1];
  out[4 * pixel + 2] = color[2];
  out[4 * pixel + 3] = opacity;
}
