import { describe, expect, it } from "vitest";
import { fitView, type Grid, pan, resize, toPixel, toScreen, zoom } from "../islands/annotator/core/view";

const grid: Grid = { rows: 100, columns: 200, spacing: [1, 0.5] };

describe("the view of a slice", () => {
  const view = fitView(grid, 800, 400);

  it("fits all of the slice", () => {
    // 100 x 100 mm on 800 x 400 screen pixels.
    expect(view.scale).toBe(4);
    expect(toScreen(view, grid, { x: -0.5, y: -0.5 })).toEqual({ x: 200, y: 0 });
    expect(toScreen(view, grid, { x: 199.5, y: 99.5 })).toEqual({ x: 600, y: 400 });
  });

  it("has square millimeters whatever the spacing", () => {
    const [from, to] = [toScreen(view, grid, { x: 10, y: 10 }), toScreen(view, grid, { x: 30, y: 20 })];
    expect([to.x - from.x, to.y - from.y]).toEqual([40, 40]);
  });

  it("leads to the screen and back", () => {
    const near = zoom(view, grid, 2.5, { x: 300, y: 100 });
    const back = toPixel(near, grid, toScreen(near, grid, { x: 12.25, y: 77.5 }));
    expect(back.x).toBeCloseTo(12.25, 10);
    expect(back.y).toBeCloseTo(77.5, 10);
  });

  it("zooms about a point", () => {
    const screen = { x: 300, y: 150 };
    const before = toPixel(view, grid, screen);
    const after = toPixel(zoom(view, grid, 3, screen), grid, screen);
    expect(after.x).toBeCloseTo(before.x, 10);
    expect(after.y).toBeCloseTo(before.y, 10);
  });

  it("zooms no farther out than all, nor in than 40 screen pixels to a pixel", () => {
    expect(zoom(view, grid, 0.1, { x: 400, y: 200 })).toEqual(view);
    expect(zoom(view, grid, 1e6, { x: 400, y: 200 }).scale).toBe(40);
  });

  it("follows the hand, and keeps the middle of the screen on the slice", () => {
    const near = zoom(view, grid, 4, { x: 400, y: 200 });
    const point = toScreen(near, grid, { x: 90, y: 40 });
    const moved = toScreen(pan(near, grid, { x: 32, y: -16 }), grid, { x: 90, y: 40 });
    expect(moved.x - point.x).toBeCloseTo(32, 10);
    expect(moved.y - point.y).toBeCloseTo(-16, 10);
    expect(pan(near, grid, { x: 1e5, y: -1e5 }).center).toEqual({ x: 0, y: 99 });
  });

  it("fits again on another screen, unless it was zoomed", () => {
    expect(resize(view, grid, 300, 300)).toEqual(fitView(grid, 300, 300));
    const near = zoom(view, grid, 4, { x: 100, y: 200 });
    expect(resize(near, grid, 300, 300)).toEqual({ ...near, width: 300, height: 300 });
  });
});
