import { describe, expect, it } from "vitest";
import type { Ct, Point } from "../islands/annotator/core/ct";
import { History } from "../islands/annotator/core/history";
import { Mask } from "../islands/annotator/core/mask";
import { Stroke, sweep } from "../islands/annotator/core/tools/brush";
import { fillContour } from "../islands/annotator/core/tools/contour";
import { clearLabel, copyLabel } from "../islands/annotator/core/tools/copy";
import { fillAround } from "../islands/annotator/core/tools/fill";

const SIZE = 64;

function ctOf(changes: Partial<Ct> = {}): Ct {
  return {
    slices: 3,
    rows: SIZE,
    columns: SIZE,
    hu: new Int16Array(3 * SIZE * SIZE).fill(30),
    spacing: [0.5, 0.5],
    extents: [4, 5.5, 7],
    offsets: [0, 4, 11],
    rowShift: [0, 0, 0],
    columnShift: [0, 0, 0],
    ...changes,
  };
}

const maskOf = (ct: Ct) => new Mask(ct.slices, ct.rows, ct.columns);
const at = (y: number, x: number) => y * SIZE + x;
const MIDDLE: Point = { x: 32, y: 32 };

describe("the brush", () => {
  const ct = ctOf();

  it("is a disk", () => {
    const mask = maskOf(ct);
    expect(sweep(ct, mask, 1, MIDDLE, MIDDLE, 10, { label: 1 })).toBe(true);
    // Lattice points within 20 of the origin (OEIS A000328); pi 10^2 mm2 are 1256.6 pixels.
    expect(mask.count(1, 1)).toBe(1257);
    expect(mask.count(0, 1) + mask.count(2, 1)).toBe(0);
    expect(sweep(ct, mask, 1, MIDDLE, MIDDLE, 10, { label: 1 })).toBe(false);
  });

  it("is round in mm where rows are farther apart than columns", () => {
    const flat = ctOf({ spacing: [1, 0.5] });
    const mask = maskOf(flat);
    sweep(flat, mask, 0, MIDDLE, MIDDLE, 10, { label: 1 });
    const reached = [at(22, 32), at(42, 32), at(32, 12), at(32, 52)].map((pixel) => mask.at(0, pixel));
    const beyond = [at(21, 32), at(43, 32), at(32, 11), at(32, 53)].map((pixel) => mask.at(0, pixel));
    expect([reached, beyond]).toEqual([
      [1, 1, 1, 1],
      [0, 0, 0, 0],
    ]);
    expect(mask.count(0, 1) * 0.5).toBeGreaterThan(0.98 * Math.PI * 100);
    expect(mask.count(0, 1) * 0.5).toBeLessThan(1.02 * Math.PI * 100);
  });

  it("sweeps a band with round ends between points far apart", () => {
    const mask = maskOf(ct);
    sweep(ct, mask, 0, { x: 12.3, y: 20 }, { x: 48.1, y: 41.7 }, 4, { label: 2 });
    const length = 0.5 * Math.hypot(48.1 - 12.3, 41.7 - 20);
    const expected = 2 * 4 * length + Math.PI * 16;
    expect(Math.abs(mask.count(0, 2) * 0.25 - expected)).toBeLessThan(0.01 * expected);
  });

  it("leaves no gap and marks something, however fine it is", () => {
    const mask = maskOf(ct);
    const [from, to] = [
      { x: 3.5, y: 5.5 },
      { x: 60.2, y: 31.4 },
    ];
    sweep(ct, mask, 0, from, to, 0.01, { label: 1 });
    for (let t = 0; t <= 1; t += 0.001) {
      const [y, x] = [from.y + t * (to.y - from.y), from.x + t * (to.x - from.x)].map(Math.round) as [number, number];
      expect(mask.at(0, at(y, x))).toBe(1);
    }
  });

  it("stays on the slice at its border", () => {
    const mask = maskOf(ct);
    sweep(ct, mask, 1, { x: -200, y: 0 }, { x: 200, y: 0 }, 1, { label: 1 });
    expect(mask.count(1, 1)).toBe(3 * SIZE);
    expect(mask.count(0, 1) + mask.count(2, 1)).toBe(0);
  });

  it("marks all in the range of HU and nothing else", () => {
    const hu = Int16Array.from({ length: 3 * SIZE * SIZE }, (_, i) => (i * 7919) % 101);
    const noisy = ctOf({ hu });
    const [whole, ranged] = [maskOf(noisy), maskOf(noisy)];
    sweep(noisy, whole, 2, MIDDLE, MIDDLE, 8, { label: 1 });
    sweep(noisy, ranged, 2, MIDDLE, MIDDLE, 8, { label: 1, range: { low: 50, high: 80 } });
    const expected = whole.labels.map((label, i) => (label === 1 && (hu[i] ?? 0) >= 50 && (hu[i] ?? 0) <= 80 ? 1 : 0));
    expect(ranged.labels).toEqual(expected);
    expect(ranged.count(2, 1)).toBeGreaterThan(100);
  });

  it("overwrites and erases what it may", () => {
    const mask = maskOf(ct);
    sweep(ct, mask, 0, { x: 20, y: 32 }, { x: 20, y: 32 }, 5, { label: 3 });
    const edema = mask.count(0, 3);
    sweep(ct, mask, 0, { x: 24, y: 32 }, { x: 24, y: 32 }, 5, { label: 1, over: 0 });
    expect(mask.count(0, 3)).toBe(edema);
    sweep(ct, mask, 0, MIDDLE, MIDDLE, 30, { label: 0, over: 3 });
    expect(mask.count(0, 3)).toBe(0);
    expect(mask.count(0, 1)).toBeGreaterThan(0);
    sweep(ct, mask, 0, MIDDLE, MIDDLE, 30, { label: 0 });
    expect(mask.count(0, 0)).toBe(SIZE * SIZE);
  });

  it("gives one edit for a stroke, and none for one without effect", () => {
    const mask = maskOf(ct);
    const stroke = new Stroke(ct, mask, 1, 2, { label: 1 });
    expect([stroke.to({ x: 10, y: 10 }), stroke.to({ x: 50, y: 12 }), stroke.to({ x: 50, y: 50 })]).toEqual([
      true,
      true,
      true,
    ]);
    expect(mask.at(1, at(11, 30))).toBe(1);
    const history = new History();
    history.push(stroke.end());
    expect(history.undo(mask)).toEqual([1]);
    expect([mask.count(1, 1), history.canUndo]).toEqual([0, false]);
    const idle = new Stroke(ct, mask, 1, 2, { label: 1, over: 4 });
    expect([idle.to({ x: 10, y: 10 }), idle.end()]).toEqual([false, null]);
  });
});

describe("a contour", () => {
  const ct = ctOf();
  const points = (...pairs: [number, number][]): Point[] => pairs.map(([x, y]) => ({ x, y }));

  it("holds the pixels whose centers are inside", () => {
    const mask = maskOf(ct);
    expect(fillContour(ct, mask, 0, points([1.5, 2.5], [5.5, 2.5], [5.5, 8.5], [1.5, 8.5]), { label: 1 })).toBe(true);
    expect(mask.count(0, 1)).toBe(4 * 6);
    expect([mask.at(0, at(3, 2)), mask.at(0, at(8, 5)), mask.at(0, at(2, 2)), mask.at(0, at(3, 6))]).toEqual([
      1, 1, 0, 0,
    ]);
  });

  it("has the area of a parallelogram, whose translates hold every center once", () => {
    const mask = maskOf(ct);
    fillContour(ct, mask, 0, points([10, 10], [18, 12], [21, 19], [13, 17]), { label: 1 });
    expect(mask.count(0, 1)).toBe(8 * 7 - 2 * 3);
  });

  it("is even-odd: what it goes around twice is outside", () => {
    const mask = maskOf(ct);
    const outer: [number, number][] = [
      [9.5, 9.5],
      [19.5, 9.5],
      [19.5, 19.5],
      [9.5, 19.5],
      [9.5, 9.5],
    ];
    const inner: [number, number][] = [
      [12.5, 12.5],
      [16.5, 12.5],
      [16.5, 16.5],
      [12.5, 16.5],
      [12.5, 12.5],
    ];
    fillContour(ct, mask, 0, points(...outer, ...inner), { label: 1 });
    expect(mask.count(0, 1)).toBe(100 - 16);
  });

  it("shares no pixel with its neighbor and leaves none between", () => {
    const mask = maskOf(ct);
    fillContour(ct, mask, 0, points([10, 10], [30, 10], [20, 30]), { label: 1 });
    const first = mask.count(0, 1);
    fillContour(ct, mask, 0, points([30, 10], [40, 30], [20, 30]), { label: 2 });
    expect(mask.count(0, 1)).toBe(first);
    // Together another parallelogram: 20 x 20.
    expect(first + mask.count(0, 2)).toBe(400);
  });

  it("may leave the slice, and needs three points", () => {
    const mask = maskOf(ct);
    fillContour(ct, mask, 0, points([-50, -50], [500, -50], [500, 500], [-50, 500]), { label: 1 });
    expect(mask.count(0, 1)).toBe(SIZE * SIZE);
    expect(
      [[], points([3, 3]), points([3, 3], [30, 30])].map((p) => fillContour(ct, mask, 1, p, { label: 1 })),
    ).toEqual([false, false, false]);
  });

  it("erases one label and leaves the others", () => {
    const mask = maskOf(ct);
    mask.put(0, at(5, 5), 1);
    mask.put(0, at(5, 6), 2);
    fillContour(ct, mask, 0, points([0, 0], [20, 0], [20, 20], [0, 20]), { label: 0, over: 1 });
    expect([mask.at(0, at(5, 5)), mask.at(0, at(5, 6))]).toEqual([0, 2]);
  });
});

describe("filling", () => {
  const ct = ctOf();

  /** A rhombus whose pixels touch at corners alone. */
  function rhombus(): Mask {
    const mask = maskOf(ct);
    for (let y = -5; y <= 5; y++) {
      for (const x of [Math.abs(y) - 5, 5 - Math.abs(y)]) mask.put(0, at(32 + y, 32 + x), 1);
    }
    return mask;
  }

  it("fills what is enclosed", () => {
    const mask = rhombus();
    expect(mask.count(0, 1)).toBe(20);
    expect(fillAround(ct, mask, 0, 33, 31, { label: 1 })).toBe("filled");
    // Lattice points with |x| + |y| <= 5.
    expect(mask.count(0, 1)).toBe(2 * 25 + 2 * 5 + 1);
    expect(fillAround(ct, mask, 0, 33, 31, { label: 1 })).toBe("unchanged");
  });

  it("refuses an open region and one that reaches the border", () => {
    const mask = rhombus();
    mask.put(0, at(32, 37), 0);
    expect(fillAround(ct, mask, 0, 32, 32, { label: 1 })).toBe("open");
    expect(mask.count(0, 1)).toBe(19);
    for (let i = 0; i < 6; i++) {
      mask.put(1, at(5, i), 1);
      mask.put(1, at(i, 5), 1);
    }
    expect(fillAround(ct, mask, 1, 2, 2, { label: 1 })).toBe("open");
    expect(fillAround(ct, mask, 1, 60, 63, { label: 1 })).toBe("open");
  });

  it("leaves other labels where only background may be overwritten", () => {
    const mask = rhombus();
    mask.put(0, at(32, 32), 3);
    fillAround(ct, mask, 0, 33, 32, { label: 1, over: 0 });
    expect([mask.at(0, at(32, 32)), mask.count(0, 1)]).toEqual([3, 60]);
  });
});

describe("copying and clearing", () => {
  it("copies a label to the same place in the patient", () => {
    const ct = ctOf({ rowShift: [0, 1.6, 4.4], columnShift: [0, 0, -0.5] });
    const mask = maskOf(ct);
    mask.put(0, at(30, 20), 1);
    mask.put(0, at(2, 20), 1);
    mask.put(0, at(31, 20), 2);
    expect(copyLabel(ct, mask, 0, 1, { label: 1 })).toBe(true);
    // 1.6 mm are 3.2 rows; the other pixel would lie above the slice.
    expect([mask.count(1, 1), mask.at(1, at(27, 20)), mask.count(1, 2)]).toEqual([1, 1, 0]);
    copyLabel(ct, mask, 1, 2, { label: 1 });
    expect([mask.count(2, 1), mask.at(2, at(21, 21))]).toEqual([1, 1]);
    expect(copyLabel(ct, mask, 1, 2, { label: 1 })).toBe(false);
  });

  it("clears one label of one slice", () => {
    const ct = ctOf();
    const mask = maskOf(ct);
    for (const z of [0, 1]) for (const label of [1, 2]) mask.put(z, at(5, label), label);
    expect([clearLabel(mask, 0, 1), clearLabel(mask, 0, 1), clearLabel(mask, 0, 0)]).toEqual([true, false, false]);
    expect([mask.count(0, 1), mask.count(0, 2), mask.count(1, 1)]).toEqual([0, 1, 1]);
  });
});
