import { describe, expect, it } from "vitest";
import type { Ct } from "../islands/annotator/core/ct";
import { Mask } from "../islands/annotator/core/mask";
import { sweep } from "../islands/annotator/core/tools/brush";
import { signedDistance, squaredDistance } from "../islands/annotator/core/tools/distance";
import { type Growth, grow, slicesInReach } from "../islands/annotator/core/tools/grow";
import { gapsOf, interpolate } from "../islands/annotator/core/tools/interpolate";

const SIZE = 64;
const OFFSETS = [0, 4, 8, 12, 19, 26];

/** Six slices of mixed gaps; HU by their place (n, v, u) in mm. */
function ctOf(huOf: (n: number, v: number, u: number) => number, changes: Partial<Ct> = {}): Ct {
  const flat = OFFSETS.map(() => 0);
  const hu = new Int16Array(6 * SIZE * SIZE);
  const ct = { slices: 6, rows: SIZE, columns: SIZE, hu, spacing: [0.5, 0.5] as const, extents: [4, 4, 4, 5.5, 7, 7] };
  const whole: Ct = { ...ct, offsets: OFFSETS, rowShift: flat, columnShift: flat, ...changes };
  for (let i = 0; i < hu.length; i++) hu[i] = huOf(...placeOf(whole, i));
  return whole;
}

function placeOf(ct: Ct, i: number): [number, number, number] {
  const z = Math.floor(i / (SIZE * SIZE));
  const y = Math.floor(i / SIZE) % SIZE;
  const [v, u] = [(ct.rowShift[z] ?? 0) + y * ct.spacing[0], (ct.columnShift[z] ?? 0) + (i % SIZE) * ct.spacing[1]];
  return [ct.offsets[z] ?? 0, v, u];
}

const maskOf = (ct: Ct) => new Mask(ct.slices, ct.rows, ct.columns);
const at = (y: number, x: number) => y * SIZE + x;
const SEED: Growth = { seed: { z: 2, y: 32, x: 32 }, label: 1, range: { low: 45, high: 100 }, radius: 30 };

/** Sums of 12 uniform numbers are all but normal; Marsaglia's xorshift makes the same ones in every run. */
function noise(sd: number): () => number {
  let state = 2463534242;
  const uniform = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  return () => sd * (Array.from({ length: 12 }, uniform).reduce((sum, value) => sum + value, 0) - 6);
}

describe("growing", () => {
  it("finds a ball in noise", () => {
    const distance = (n: number, v: number, u: number) => Math.hypot(n - 8, v - 16, u - 16);
    const random = noise(6);
    const ct = ctOf((n, v, u) => (distance(n, v, u) <= 10 ? 65 : 30) + random());
    const mask = maskOf(ct);
    expect(grow(ct, mask, SEED)).toBe("grown");
    let [both, ball, grown] = [0, 0, 0];
    mask.labels.forEach((label, i) => {
      const inside = distance(...placeOf(ct, i)) <= 10;
      if (inside) ball++;
      if (label === 1) grown++;
      if (inside && label === 1) both++;
      // The mean of 3 x 3 pixels blurs by less than two of them.
      if (label === 1) expect(distance(...placeOf(ct, i))).toBeLessThan(11);
    });
    expect((2 * both) / (ball + grown)).toBeGreaterThan(0.97);
  });

  it.each([
    ["upright", {}],
    ["tilted", { rowShift: [0, 1.3, 2.6, 3.9, 6.2, 8.5], spacing: [0.75, 0.5] as const }],
  ])("stops at the radius in true mm (%s)", (_, changes) => {
    const ct = ctOf(() => 60, changes);
    const mask = maskOf(ct);
    grow(ct, mask, { ...SEED, radius: 9 });
    const [n, v, u] = placeOf(ct, 2 * SIZE * SIZE + at(32, 32));
    const expected = mask.labels.map((__, i) => {
      const [ni, vi, ui] = placeOf(ct, i);
      return Math.hypot(ni - n, vi - v, ui - u) <= 9 ? 1 : 0;
    });
    expect(mask.labels).toEqual(expected);
    expect(slicesInReach(ct, { ...SEED, radius: 9 })).toEqual([0, 1, 2, 3]);
  });

  it("follows a column of the patient through displaced slices", () => {
    const column = (v: number, u: number) => Math.hypot(v - 20, u - 16) <= 2;
    const ct = ctOf((_, v, u) => (column(v, u) ? 70 : 30), { rowShift: [0, 2.5, 5, 7.5, 11.9, 16.3] });
    const mask = maskOf(ct);
    grow(ct, mask, { ...SEED, seed: { z: 2, y: 30, x: 32 } });
    for (let z = 0; z < 6; z++) expect(mask.count(z, 1)).toBeGreaterThan(40);
    mask.labels.forEach((label, i) => {
      const [, v, u] = placeOf(ct, i);
      if (label === 1) expect(Math.hypot(v - 20, u - 16)).toBeLessThan(2.8);
    });
  });

  it("does not leak through a diagonal, within a slice or between two", () => {
    const ct = ctOf((n, v, u) => {
      const seeded = n === 8 && v >= 10 && v < 16.5 && u >= 10 && u < 16.5;
      const corner = n === 8 && v >= 16.5 && v < 24 && u >= 16.5 && u < 24;
      const above = n === 12 && v >= 10 && v < 16.5 && u >= 18 && u < 24;
      return seeded || corner || above ? 60 : 30;
    });
    const mask = maskOf(ct);
    grow(ct, mask, SEED);
    expect(mask.at(2, at(25, 25))).toBe(1);
    expect([mask.at(2, at(40, 40)), mask.count(3, 1)]).toEqual([0, 0]);
  });

  it("fills holes on each slice", () => {
    const ct = ctOf((n, v, u) => (n !== 8 ? 30 : Math.hypot(v - 20, u - 16) <= 2 ? 200 : 60));
    const mask = maskOf(ct);
    grow(ct, mask, { ...SEED, radius: 12, seed: { z: 2, y: 30, x: 32 } });
    expect(mask.at(2, at(40, 32))).toBe(1);
    expect([mask.count(1, 1), mask.count(3, 1)]).toEqual([0, 0]);
    // Lattice points within 24 of the origin (OEIS A000328), all on the slice.
    expect(mask.count(2, 1)).toBe(1793);
  });

  it("tells when the seed is out of range, and stops at labels that it may not overwrite", () => {
    const ct = ctOf(() => 60);
    const mask = maskOf(ct);
    expect(grow(ct, mask, { ...SEED, range: { low: 61, high: 90 } })).toBe("out_of_range");
    for (let z = 0; z < 6; z++) for (let y = 0; y < SIZE; y++) mask.put(z, at(y, 40), 2);
    expect(grow(ct, mask, { ...SEED, over: 0, radius: 99 })).toBe("grown");
    for (let z = 0; z < 6; z++) expect([mask.count(z, 1), mask.count(z, 2)]).toEqual([40 * SIZE, SIZE]);
    expect(grow(ct, mask, { ...SEED, over: 0, radius: 99 })).toBe("unchanged");
    expect(grow(ct, mask, { ...SEED, seed: { z: 2, y: 3, x: 40 }, over: 0 })).toBe("unchanged");
    expect(grow(ct, mask, { ...SEED, radius: 999 })).toBe("grown");
    expect(mask.labels.every((label) => label === 1)).toBe(true);
  });
});

describe("distances", () => {
  const [rows, columns] = [17, 23];
  const random = noise(1);
  const values = Uint8Array.from({ length: rows * columns }, () => (random() > 1.2 ? 1 : 0));

  it("are those of the nearest pixel, by trying all", () => {
    const found = squaredDistance(values, rows, columns, [1.5, 0.4], 1);
    found.forEach((squared, i) => {
      let least = Number.POSITIVE_INFINITY;
      values.forEach((value, k) => {
        const dy = 1.5 * (Math.floor(i / columns) - Math.floor(k / columns));
        if (value === 1) least = Math.min(least, dy ** 2 + (0.4 * ((i % columns) - (k % columns))) ** 2);
      });
      expect(squared).toBeCloseTo(least, 9);
    });
  });

  it("are infinite where there is nothing, and negative inside", () => {
    expect(squaredDistance(new Uint8Array(6), 2, 3, [1, 1], 1).every((value) => value === Infinity)).toBe(true);
    const line = signedDistance(Uint8Array.of(0, 0, 1, 1, 1, 0), 1, 6, [1, 1]);
    expect([...line]).toEqual([1.5, 0.5, -0.5, -1.5, -0.5, 0.5]);
  });
});

describe("interpolation", () => {
  const MIXED = { slices: 4, offsets: [0, 4, 11, 18], extents: [4, 5.5, 7, 7] };
  const disk = (ct: Ct, mask: Mask, z: number, radius: number, v = 16, u = 16) => {
    const point = {
      y: (v - (ct.rowShift[z] ?? 0)) / ct.spacing[0],
      x: (u - (ct.columnShift[z] ?? 0)) / ct.spacing[1],
    };
    sweep(ct, mask, z, point, point, radius, { label: 1 });
  };
  /** The outline of a slice may stray from a circle by a pixel's diagonal, and its area by little. */
  const expectDisk = (ct: Ct, mask: Mask, z: number, radius: number) => {
    mask.slice(z).forEach((label, pixel) => {
      const [, v, u] = placeOf(ct, z * SIZE * SIZE + pixel);
      const distance = Math.hypot(v - 16, u - 16);
      if (distance < radius - 0.7) expect(label).toBe(1);
      if (distance > radius + 0.7) expect(label).toBe(0);
    });
    const area = mask.count(z, 1) * ct.spacing[0] * ct.spacing[1];
    expect(Math.abs(area / (Math.PI * radius ** 2) - 1)).toBeLessThan(0.03);
  };

  it.each([
    ["upright", {}],
    ["tilted", { rowShift: [0, 1.3, 3.7, 6.1], columnShift: [0, 0, -0.3, -0.6] }],
    ["of oblong pixels", { spacing: [0.6, 0.5] as const }],
  ])("of two disks is a disk of the radius between by the true gaps (%s)", (_, changes) => {
    const ct = ctOf(() => 0, { ...MIXED, rowShift: [0, 0, 0, 0], columnShift: [0, 0, 0, 0], ...changes });
    const mask = maskOf(ct);
    disk(ct, mask, 0, 5);
    disk(ct, mask, 2, 9);
    expect(gapsOf(mask, 1)).toEqual([[0, 2]]);
    expect(interpolate(ct, mask, { label: 1 })).toEqual([1]);
    expectDisk(ct, mask, 1, 5 + (4 / 11) * 4);
    expect(mask.count(3, 1)).toBe(0);
  });

  it("fills all gaps, and no slice that is drawn", () => {
    const ct = ctOf(() => 0);
    const mask = maskOf(ct);
    for (const z of [0, 2, 5]) disk(ct, mask, z, 6);
    const drawn = mask.slice(2).slice();
    expect(interpolate(ct, mask, { label: 1 })).toEqual([1, 3, 4]);
    expect(mask.slice(2)).toEqual(drawn);
    // The same disk on both sides is the same disk between.
    for (const z of [1, 3, 4]) expect(mask.slice(z)).toEqual(drawn);
    expect(interpolate(ct, mask, { label: 1 })).toEqual([]);
  });

  it("leaves other labels, and reaches to the border of the slice", () => {
    const ct = ctOf(() => 0);
    const mask = maskOf(ct);
    for (const z of [0, 2]) for (let pixel = 0; pixel < 10 * SIZE; pixel++) mask.put(z, pixel, 1);
    mask.put(1, at(0, 0), 3);
    interpolate(ct, mask, { label: 1, over: 0 });
    expect([mask.count(1, 1), mask.at(1, 0), mask.at(1, at(0, 63))]).toEqual([10 * SIZE - 1, 3, 1]);
  });
});
