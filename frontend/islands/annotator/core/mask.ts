import type { Ct } from "./ct";
import { LABEL_COUNT } from "./labels";

const NUMBERS = LABEL_COUNT + 1;

/** Labels of all voxels, and how many of each there are on each slice. Only its own methods may write. */
export class Mask {
  /** In the order (z, y, x). */
  readonly labels: Uint8Array;
  /** Voxels of each slice by label, background included: counts[z * 7 + label]. */
  readonly counts: Uint32Array;
  /** Pixels of one slice. */
  readonly pixels: number;

  constructor(
    readonly slices: number,
    readonly rows: number,
    readonly columns: number,
  ) {
    this.pixels = rows * columns;
    this.labels = new Uint8Array(slices * this.pixels);
    this.counts = new Uint32Array(slices * NUMBERS);
    for (let z = 0; z < slices; z++) this.counts[z * NUMBERS] = this.pixels;
  }

  /** The labels of one slice, not a copy; for reading. */
  slice(z: number): Uint8Array {
    return this.labels.subarray(z * this.pixels, (z + 1) * this.pixels);
  }

  count(z: number, label: number): number {
    return this.counts[z * NUMBERS + label] as number;
  }

  /** Label of a pixel (y * columns + x) of a slice. */
  at(z: number, pixel: number): number {
    return this.labels[z * this.pixels + pixel] as number;
  }

  /** Set the label of a pixel that lies within the slice; says whether it was another. */
  put(z: number, pixel: number, label: number): boolean {
    const index = z * this.pixels + pixel;
    const before = this.labels[index] as number;
    if (before === label) return false;
    this.labels[index] = label;
    this.counts[z * NUMBERS + before] = this.count(z, before) - 1;
    this.counts[z * NUMBERS + label] = this.count(z, label) + 1;
    return true;
  }

  /** Replace a slice by what was saved; a RangeError leaves it as it was. */
  load(z: number, bytes: Uint8Array): void {
    if (z < 0 || z >= this.slices || bytes.length !== this.pixels) throw new RangeError("not a slice of this mask");
    const counts = new Uint32Array(256);
    for (let i = 0; i < bytes.length; i++) {
      const label = bytes[i] as number;
      counts[label] = (counts[label] as number) + 1;
    }
    if (counts.subarray(NUMBERS).some((count) => count > 0)) throw new RangeError("unknown label");
    this.labels.set(bytes, z * this.pixels);
    this.counts.set(counts.subarray(0, NUMBERS), z * NUMBERS);
  }
}

/** Slices that hold a label, from foot to head. */
export function slicesWith(mask: Mask, label: number): number[] {
  const found: number[] = [];
  for (let z = 0; z < mask.slices; z++) if (mask.count(z, label) > 0) found.push(z);
  return found;
}

/** The slice with most of a label; null where there is none. */
export function largestSlice(mask: Mask, label: number): number | null {
  const drawn = slicesWith(mask, label);
  return drawn.reduce<number | null>(
    (best, z) => (best !== null && mask.count(best, label) >= mask.count(z, label) ? best : z),
    null,
  );
}

/** The pixel nearest to the center of a label on a slice; null where it has none. */
export function middleOf(mask: Mask, z: number, label: number): { x: number; y: number } | null {
  const [labels, count] = [mask.slice(z), mask.count(z, label)];
  if (count === 0) return null;
  let [sumX, sumY] = [0, 0];
  for (let pixel = 0; pixel < labels.length; pixel++) {
    if (labels[pixel] !== label) continue;
    sumX += pixel % mask.columns;
    sumY += Math.floor(pixel / mask.columns);
  }
  return { x: Math.round(sumX / count), y: Math.round(sumY / count) };
}

/** Area of a label on each slice, mm2. */
export function areas(mask: Mask, { spacing }: Pick<Ct, "spacing">, label: number): number[] {
  return Array.from({ length: mask.slices }, (_, z) => mask.count(z, label) * spacing[0] * spacing[1]);
}

/** Volume of each label in mL, at the label's own index; 0 for background. Slices count by what they stand for. */
export function milliliters(mask: Mask, ct: Pick<Ct, "spacing" | "extents">): number[] {
  return Array.from({ length: NUMBERS }, (_, label) => {
    if (label === 0) return 0;
    return areas(mask, ct, label).reduce((sum, area, z) => sum + area * (ct.extents[z] as number), 0) / 1000;
  });
}
