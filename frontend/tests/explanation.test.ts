import { describe, expect, it } from "vitest";
import { mostMarked, percentOf } from "../islands/explanation/core/shares";

describe("the share of the map on each slice", () => {
  it("opens at the slice with most of it, the first of several, and in the middle where there is none", () => {
    expect(mostMarked([0, 0.2, 0.5, 0.3])).toBe(2);
    expect(mostMarked([0.1, 0.4, 0.4, 0.1])).toBe(1);
    expect(mostMarked([0, 0, 0])).toBe(1);
    expect(mostMarked([])).toBe(0);
  });

  it.each([
    [0, "0"],
    [0.004, "0.4"],
    [0.0994, "9.9"],
    [0.0999, "10"],
    [0.237, "24"],
    [1, "100"],
  ])("writes %f as %s percent", (share, text) => {
    expect(percentOf(share)).toBe(text);
  });
});
