import { describe, expect, it } from "vitest";
import { type Ct, displacement, grayInto, huAt, nearestSlice, nextWindow, WINDOWS } from "../islands/annotator/core/ct";
import { Mask } from "../islands/annotator/core/mask";
import { coronal, planeGrayInto, planeLabelsInto, pointOf, sagittal, voxelAt } from "../islands/annotator/core/planes";

const [ROWS, COLUMNS] = [12, 10];

/** Mixed gaps under a tilt, displaced by other than whole pixels; HU rise evenly in the patient, not in the array. */
function tilted(): Ct {
  const offsets = [0, 4, 8, 15];
  const ct: Ct = {
    slices: 4,
    rows: ROWS,
    columns: COLUMNS,
    hu: new Int16Array(4 * ROWS * COLUMNS),
    spacing: [1, 0.5],
    extents: [4, 4, 5.5, 7],
    offsets,
    rowShift: [0, 0.75, 1.5, 2.75],
    columnShift: [0.5, 0.25, 0.25, 0],
  };
  for (let z = 0, i = 0; z < 4; z++) {
    for (let y = 0; y < ROWS; y++) {
      for (let x = 0; x < COLUMNS; x++, i++)
        ct.hu[i] = rising(offsets[z] ?? 0, place(ct, z, y, "v"), place(ct, z, x, "u"));
    }
  }
  return ct;
}

function rising(n: number, v: number, u: number): number {
  return 4 * n + 8 * v + 4 * u + 10;
}

function place(ct: Ct, z: number, index: number, axis: "v" | "u"): number {
  return axis === "v" ? (ct.rowShift[z] ?? 0) + index : (ct.columnShift[z] ?? 0) + index * 0.5;
}

// Gray is then HU itself, from 0 to 255.
const IDENTITY = { width: 255, level: 127.5 };

describe("gray of a slice", () => {
  const hu = Int16Array.of(-1000, 0, 9, 45, 90, 1000);
  const ct: Ct = { ...tilted(), slices: 1, rows: 2, columns: 3, hu };

  it("is black at the lower end of the window and below, white at the upper end and above", () => {
    const out = new Uint8ClampedArray(24);
    grayInto(ct, 0, WINDOWS.brain, out);
    expect([...out].filter((_, i) => i % 4 === 0)).toEqual([0, 0, 26, 128, 255, 255]);
    expect([...out.subarray(8, 12)]).toEqual([26, 26, 26, 255]);
  });

  it("tells HU within the CT alone", () => {
    expect(huAt(ct, 0, 1, 0)).toBe(45);
    expect([huAt(ct, 0, 0, 3), huAt(ct, 0, -1, 0), huAt(ct, 1, 0, 0)]).toEqual([null, null, null]);
  });

  it("goes through the windows and comes from a free one to the first", () => {
    expect([nextWindow("brain"), nextWindow("bone"), nextWindow(null)]).toEqual(["subdural", "brain", "brain"]);
  });
});

describe("places in the patient", () => {
  const ct = tilted();

  it("finds the nearest slice where gaps differ", () => {
    expect([-9, 1.9, 2.1, 11.4, 11.6, 99].map((offset) => nearestSlice(ct, offset))).toEqual([0, 0, 1, 2, 3, 3]);
  });

  it("moves there and back by the same pixels", () => {
    expect(displacement(ct, 0, 3)).toEqual({ rows: -3, columns: 1 });
    expect(displacement(ct, 3, 0)).toEqual({ rows: 3, columns: -1 });
    // 0.25 mm are half a column.
    expect(displacement(ct, 0, 1).columns).toBe(-displacement(ct, 1, 0).columns);
  });
});

describe("coronal and sagittal planes", () => {
  const ct = tilted();
  const planes = [coronal(ct, 1, 6), sagittal(ct, 1, 5)] as const;

  it("have square pixels and the height of the slices together", () => {
    // 20.5 mm of slices; the rows are displaced by up to 2.75 mm, the columns by up to one.
    expect(planes[0]).toMatchObject({ pixel: 0.5, height: 41, width: COLUMNS + 1, at: 6.75 });
    expect(planes[1]).toMatchObject({ pixel: 1, height: 21, width: ROWS + 3, at: 2.75 });
  });

  it.each(planes)("the $kind shows what lies there in the patient, between slices too", (plane) => {
    const out = new Uint8ClampedArray(4 * plane.width * plane.height);
    planeGrayInto(ct, plane, IDENTITY, out);
    let compared = 0;
    for (let row = 0; row < plane.height; row++) {
      const n = Math.min(Math.max(plane.top - row * plane.pixel, 0), 15);
      for (let column = 3; column < plane.width - 4; column++) {
        const along = plane.left + column * plane.pixel;
        const expected = plane.kind === "coronal" ? rising(n, plane.at, along) : rising(n, along, plane.at);
        expect(Math.abs((out[4 * (row * plane.width + column)] ?? 0) - expected)).toBeLessThanOrEqual(0.5001);
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(100);
  });

  it("show air beside a displaced slice", () => {
    const plane = sagittal(ct, 0, 5);
    const out = new Uint8ClampedArray(4 * plane.width * plane.height);
    planeGrayInto(ct, plane, IDENTITY, out);
    expect(out[0]).toBe(0);
    expect(out[4 * (plane.width * plane.height - 1)]).toBe(0);
  });

  it("show the labels of the nearest slice, as thick as it counts", () => {
    const mask = new Mask(4, ROWS, COLUMNS);
    mask.put(3, 6 * COLUMNS + 5, 3);
    const plane = sagittal(ct, 3, 5);
    const out = new Uint8Array(plane.width * plane.height);
    planeLabelsInto(ct, plane, mask, out);
    const found = [...out.keys()].filter((i) => out[i] !== 0);
    // Row 6 of slice 3 lies at 8.75 mm: nearest to column 9 of the plane. The slice stands for 7 mm.
    expect(new Set(found.map((i) => i % plane.width))).toEqual(new Set([9]));
    expect(found.every((i) => out[i] === 3)).toBe(true);
    expect(found).toHaveLength(7);
  });

  it("lead from each of their voxels to its point and back", () => {
    for (let z = 0; z < 4; z++) {
      const y = Math.round(planes[0].at - (ct.rowShift[z] ?? 0));
      for (let x = 0; x < COLUMNS; x++)
        expect(voxelAt(ct, planes[0], pointOf(ct, planes[0], { z, y, x }))).toEqual({ z, y, x });
      const x = Math.round((planes[1].at - (ct.columnShift[z] ?? 0)) / 0.5);
      for (let y = 0; y < ROWS; y++)
        expect(voxelAt(ct, planes[1], pointOf(ct, planes[1], { z, y, x }))).toEqual({ z, y, x });
    }
  });

  it("put the head above and stay on the CT", () => {
    const [high, low] = [3, 0].map((z) => pointOf(ct, planes[0], { z, y: 5, x: 5 }).y);
    expect(high).toBeLessThan(low ?? 0);
    // Half of the end slice's extent above it: 3.5 mm are 7 pixels, less the half of the first.
    expect(high).toBeCloseTo(6.5, 10);
    expect(voxelAt(ct, planes[1], { x: -50, y: -50 })).toMatchObject({ z: 3, y: 0 });
    expect(voxelAt(ct, planes[1], { x: 999, y: 999 })).toMatchObject({ z: 0, y: ROWS - 1 });
  });
});
