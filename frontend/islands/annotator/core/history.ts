import type { Mask } from "./mask";

/** What changed within a box of one slice: its labels before and after, row by row. */
export interface Patch {
  z: number;
  top: number;
  left: number;
  rows: number;
  columns: number;
  before: Uint8Array;
  after: Uint8Array;
}

export type Edit = readonly Patch[];

/** Copies of slices, taken before they may change. */
export type Snapshot = ReadonlyMap<number, Uint8Array>;

export function snapshot(mask: Mask, slices: readonly number[]): Snapshot {
  return new Map(slices.map((z) => [z, mask.slice(z).slice()]));
}

/** What has changed since; null if nothing. */
export function difference(mask: Mask, since: Snapshot): Edit | null {
  const edit: Patch[] = [];
  for (const [z, before] of since) {
    const patch = patchOf(z, before, mask.slice(z), mask.columns);
    if (patch) edit.push(patch);
  }
  return edit.length > 0 ? edit : null;
}

/** Run a change that touches no other slices than these, and keep what differs; null if nothing does. */
export function record(mask: Mask, slices: readonly number[], change: () => void): Edit | null {
  const before = snapshot(mask, slices);
  change();
  return difference(mask, before);
}

export function slicesOf(edit: Edit): number[] {
  return edit.map(({ z }) => z);
}

function patchOf(z: number, before: Uint8Array, after: Uint8Array, columns: number): Patch | null {
  let [top, bottom, left, right] = [-1, -1, columns, -1];
  for (let i = 0; i < before.length; i++) {
    if (before[i] === after[i]) continue;
    bottom = Math.floor(i / columns);
    if (top < 0) top = bottom;
    const x = i - bottom * columns;
    if (x < left) left = x;
    if (x > right) right = x;
  }
  if (top < 0) return null;
  const box = { z, top, left, rows: bottom - top + 1, columns: right - left + 1 };
  return { ...box, before: cut(before, columns, box), after: cut(after, columns, box) };
}

function cut(slice: Uint8Array, width: number, box: Pick<Patch, "top" | "left" | "rows" | "columns">): Uint8Array {
  const labels = new Uint8Array(box.rows * box.columns);
  for (let row = 0; row < box.rows; row++) {
    const start = (box.top + row) * width + box.left;
    labels.set(slice.subarray(start, start + box.columns), row * box.columns);
  }
  return labels;
}

function apply(mask: Mask, edit: Edit, side: "before" | "after"): number[] {
  for (const patch of edit) {
    const labels = patch[side];
    for (let i = 0; i < labels.length; i++) {
      const row = Math.floor(i / patch.columns);
      const pixel = (patch.top + row) * mask.columns + patch.left + i - row * patch.columns;
      mask.put(patch.z, pixel, labels[i] as number);
    }
  }
  return slicesOf(edit);
}

function bytesOf(edit: Edit): number {
  return edit.reduce((sum, { before, after }) => sum + before.length + after.length, 0);
}

/** The edits of one mask. Past the limit of bytes the oldest are forgotten; the newest is always kept. */
export class History {
  private done: Edit[] = [];
  private undone: Edit[] = [];
  private bytes = 0;

  constructor(private readonly limit = 64 * 2 ** 20) {}

  get canUndo(): boolean {
    return this.done.length > 0;
  }

  get canRedo(): boolean {
    return this.undone.length > 0;
  }

  /** Keep an edit that has been made; null is none. What was undone cannot be redone after it. */
  push(edit: Edit | null): void {
    if (!edit) return;
    for (const lost of this.undone) this.bytes -= bytesOf(lost);
    this.undone = [];
    this.done.push(edit);
    this.bytes += bytesOf(edit);
    while (this.bytes > this.limit && this.done.length > 1) this.bytes -= bytesOf(this.done.shift() as Edit);
  }

  /** Take the last edit back; says which slices changed. */
  undo(mask: Mask): number[] {
    const edit = this.done.pop();
    if (!edit) return [];
    this.undone.push(edit);
    return apply(mask, edit, "before");
  }

  /** Make the edit again that was undone last; says which slices changed. */
  redo(mask: Mask): number[] {
    const edit = this.undone.pop();
    if (!edit) return [];
    this.done.push(edit);
    return apply(mask, edit, "after");
  }
}
