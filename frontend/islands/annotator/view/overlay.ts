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
  for (let i = 0, at = 0; i < labels.length; i++, at += 4) {
    const label = labels[i] as number;
    if (label === 0) continue;
    const color = colors[label - 1] ?? [255, 255, 255];
    const column = i % columns;
    const inner =
      column > 0 &&
      column < columns - 1 &&
      labels[i - 1] === label &&
      labels[i + 1] === label &&
      labels[i - columns] === label &&
      labels[i + columns] === label;
    out[at] = color[0];
    out[at + 1] = color[1];
    out[at + 2] = color[2];
    out[at + 3] = inner ? WITHIN : RIM;
  }
}
