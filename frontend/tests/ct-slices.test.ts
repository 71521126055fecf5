import { describe, expect, it } from "vitest";
import {
  actionForKey,
  neighbors,
  openingPosition,
  readSlices,
  sliceUrl,
  update,
  type View,
  wheelSteps,
} from "../islands/ct/core/slices";

const view: View = { position: 3, count: 28, window: "brain", overlay: true };

describe("moving through slices", () => {
  it("stops at the first and the last slice", () => {
    expect(update(view, { kind: "step", by: -10 }).position).toBe(0);
    expect(update(view, { kind: "step", by: 100 }).position).toBe(27);
    expect(update({ ...view, count: 0 }, { kind: "go", position: 5 }).position).toBe(0);
  });

  it("turns the outline off and on again, and leaves the slice alone", () => {
    const off = update(view, { kind: "overlay" });
    expect(off).toEqual({ ...view, overlay: false });
    expect(update(off, { kind: "overlay" })).toEqual(view);
  });

  it.each([
    ["ArrowDown", 4],
    ["ArrowUp", 2],
    ["PageDown", 8],
    ["Home", 0],
    ["End", 27],
  ])("%s goes to position %i", (key, position) => {
    const action = actionForKey(key, view.count);
    expect(action && update(view, action).position).toBe(position);
  });

  it("chooses windows by number and leaves other keys to the browser", () => {
    expect(actionForKey("3", 28)).toEqual({ kind: "window", window: "bone" });
    expect(actionForKey("Tab", 28)).toBeNull();
  });

  it("keeps what a fine wheel has turned until it makes a slice", () => {
    expect(wheelSteps(39)).toEqual({ steps: 0, rest: 39 });
    expect(wheelSteps(100)).toEqual({ steps: 2, rest: 20 });
    expect(wheelSteps(-100)).toEqual({ steps: -2, rest: -20 });
  });
});

describe("addresses of pictures", () => {
  it("fills the index in and sets window and outline", () => {
    const pattern = "/patients/A-0001/ct/7/slices/{index}.png?window=brain&overlay=1&v=2";
    expect(sliceUrl(pattern, 12, "subdural", false)).toBe(
      "/patients/A-0001/ct/7/slices/12.png?window=subdural&overlay=0&v=2",
    );
    expect(sliceUrl("/s/{index}", 0, "bone", true)).toBe("/s/0?window=bone&overlay=1");
  });

  it("loads the nearest slices first and none outside the series", () => {
    expect(neighbors(0, 28, 2)).toEqual([1, 2]);
    expect(neighbors(26, 28, 2)).toEqual([27, 25, 24]);
  });
});

describe("the slice to open with", () => {
  const slice = (index: number, mask_area_mm2: number | null) => ({ index, offset_mm: 0, extent_mm: 4, mask_area_mm2 });

  it("is the one with the largest hematoma", () => {
    expect(openingPosition([slice(0, null), slice(1, 120), slice(2, 340), slice(3, 90)])).toBe(2);
  });

  it("is the middle one where there is no mask", () => {
    expect(openingPosition(readSlices(null, 27))).toBe(13);
    expect(openingPosition([slice(0, null), slice(1, 0)])).toBe(0);
  });
});
