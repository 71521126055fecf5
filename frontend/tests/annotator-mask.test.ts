import { describe, expect, it } from "vitest";
import { difference, type Edit, History, record, slicesOf, snapshot } from "../islands/annotator/core/history";
import { areas, Mask, milliliters, slicesWith } from "../islands/annotator/core/mask";

/** Marsaglia's xorshift: the same numbers in every run. */
function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function recount(mask: Mask): number[] {
  const counts = new Array<number>(mask.slices * 7).fill(0);
  mask.labels.forEach((label, i) => {
    const at = Math.floor(i / mask.pixels) * 7 + label;
    counts[at] = (counts[at] ?? 0) + 1;
  });
  return counts;
}

describe("volumes", () => {
  const ct = { spacing: [0.5, 0.4], extents: [4, 5.5, 7] } as const;

  it("of the same area on a 4 mm and a 7 mm slice are as 4 to 7", () => {
    const mask = new Mask(3, 20, 20);
    for (let pixel = 40; pixel < 140; pixel++) {
      mask.put(0, pixel, 1);
      mask.put(2, pixel, 2);
    }
    const [background, thin, thick] = milliliters(mask, ct);
    expect(background).toBe(0);
    expect(thin).toBeCloseTo((100 * 0.5 * 0.4 * 4) / 1000, 12);
    expect((thick ?? 0) / (thin ?? 1)).toBeCloseTo(7 / 4, 12);
    expect(areas(mask, ct, 2)).toEqual([0, 0, 20]);
    expect([slicesWith(mask, 1), slicesWith(mask, 2), slicesWith(mask, 3)]).toEqual([[0], [2], []]);
  });
});

describe("a mask", () => {
  it("loads a slice with its counts, and refuses what is none", () => {
    const mask = new Mask(2, 2, 3);
    mask.load(1, Uint8Array.of(0, 1, 1, 6, 0, 0));
    expect([0, 1, 6].map((label) => mask.count(1, label))).toEqual([3, 2, 1]);
    expect([...mask.slice(1)]).toEqual([0, 1, 1, 6, 0, 0]);
    expect(() => mask.load(1, Uint8Array.of(0, 1, 7, 0, 0, 0))).toThrow(RangeError);
    expect(() => mask.load(1, new Uint8Array(5))).toThrow(RangeError);
    expect(() => mask.load(2, new Uint8Array(6))).toThrow(RangeError);
    expect(mask.count(1, 1)).toBe(2);
    expect([...mask.counts]).toEqual(recount(mask));
  });
});

describe("edits", () => {
  it("keep the box of what differs, slice by slice, and nothing if nothing does", () => {
    const mask = new Mask(3, 10, 10);
    const edit = record(mask, [0, 1, 2], () => {
      mask.put(1, 23, 4);
      mask.put(1, 45, 2);
    });
    expect(edit).toEqual([
      {
        z: 1,
        top: 2,
        left: 3,
        rows: 3,
        columns: 3,
        before: new Uint8Array(9),
        after: Uint8Array.of(4, 0, 0, 0, 0, 0, 0, 0, 2),
      },
    ]);
    expect(slicesOf(edit ?? [])).toEqual([1]);
    expect(record(mask, [0, 1, 2], () => mask.put(1, 23, 4))).toBeNull();
    const before = snapshot(mask, [1]);
    mask.put(1, 23, 5);
    mask.put(1, 23, 4);
    expect(difference(mask, before)).toBeNull();
  });

  it.each([1, 2, 3, 4, 5])("undone all give the start, redone all the end (%i)", (seed) => {
    const random = dice(seed * 7919);
    const mask = new Mask(4, 12, 9);
    for (let z = 0; z < 4; z++)
      mask.load(
        z,
        Uint8Array.from({ length: 108 }, () => random(7)),
      );
    const history = new History();
    const states = [mask.labels.slice()];
    for (let n = 0; n < 40; n++) {
      const edit = record(mask, [0, 1, 2, 3], () => {
        for (let i = random(30); i > 0; i--) mask.put(random(4), random(108), random(7));
      });
      history.push(edit);
      if (edit) states.push(mask.labels.slice());
    }
    for (let n = states.length - 2; n >= 0; n--) {
      history.undo(mask);
      expect(mask.labels).toEqual(states[n]);
      expect([...mask.counts]).toEqual(recount(mask));
    }
    expect([history.canUndo, history.undo(mask)]).toEqual([false, []]);
    for (const state of states.slice(1)) {
      history.redo(mask);
      expect(mask.labels).toEqual(state);
      expect([...mask.counts]).toEqual(recount(mask));
    }
    expect([history.canRedo, history.redo(mask)]).toEqual([false, []]);
  });

  it("drop what was undone when another follows", () => {
    const mask = new Mask(2, 4, 4);
    const history = new History();
    const put = (z: number, label: number): Edit | null => record(mask, [z], () => mask.put(z, 5, label));
    history.push(put(0, 1));
    history.push(put(1, 2));
    expect(history.undo(mask)).toEqual([1]);
    history.push(put(0, 3));
    expect(history.canRedo).toBe(false);
    expect([history.undo(mask), history.undo(mask)]).toEqual([[0], [0]]);
    expect(mask.labels.every((label) => label === 0)).toBe(true);
  });

  it("forget the oldest past the limit of bytes, and always keep the newest", () => {
    const mask = new Mask(1, 10, 10);
    // An edit of one pixel takes two bytes.
    const history = new History(6);
    for (let pixel = 0; pixel < 5; pixel++) history.push(record(mask, [0], () => mask.put(0, pixel, 1)));
    while (history.canUndo) history.undo(mask);
    expect([...mask.slice(0).subarray(0, 6)]).toEqual([1, 1, 0, 0, 0, 0]);
    const large = record(mask, [0], () => {
      mask.put(0, 0, 2);
      mask.put(0, 99, 2);
    });
    history.push(large);
    expect(history.canRedo).toBe(false);
    history.undo(mask);
    expect([history.canUndo, mask.at(0, 99), mask.at(0, 0)]).toEqual([false, 0, 1]);
  });
});
