/** A file to send. */
export interface Item {
  id: string;
  size: number;
  /** Its bytes, read anew each time: a lost connection costs no memory. */
  read(): Promise<Blob>;
}

const PART_FILES = 16;
const PART_BYTES = 16_000_000;

/** Cut a queue into parts of at most 16 files and 16 MB; a file that is larger goes alone. */
export function partsOf(items: readonly Item[]): Item[][] {
  const parts: Item[][] = [];
  let part: Item[] = [];
  let bytes = 0;
  for (const item of items) {
    if (part.length > 0 && (part.length === PART_FILES || bytes + item.size > PART_BYTES)) {
      parts.push(part);
      part = [];
      bytes = 0;
    }
    part.push(item);
    bytes += item.size;
  }
  return part.length > 0 ? [...parts, part] : parts;
}

export function halves(part: readonly Item[]): Item[][] {
  const middle = Math.ceil(part.length / 2);
  return [part.slice(0, middle), part.slice(middle)];
}

/** How much of each file of a part is sent when this fraction of the part is: files leave one after another. */
export function shares(part: readonly Pick<Item, "size">[], fraction: number): number[] {
  let left = fraction * part.reduce((sum, { size }) => sum + size, 0);
  return part.map(({ size }) => {
    const share = size > 0 ? Math.min(1, Math.max(0, left / size)) : fraction;
    left -= size;
    return share;
  });
}
