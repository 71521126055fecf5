import type { Ct, Point } from "./ct";

/** What of a slice is seen: the pixel in the middle of the screen, and screen pixels to the mm, the same both ways. */
export interface View {
  /** Screen pixels. */
  width: number;
  height: number;
  scale: number;
  center: Point;
}

/** A slice, or a reformatted plane, as far as a view needs to know it. */
export type Grid = Pick<Ct, "rows" | "columns" | "spacing">;

/** Screen pixels to which the longer side of one pixel can be blown up. */
const LARGEST_PIXEL = 40;

/** All of the slice, as large as it goes. */
export function fitView(grid: Grid, width: number, height: number): View {
  const center = { x: (grid.columns - 1) / 2, y: (grid.rows - 1) / 2 };
  return { width, height, scale: fittingScale(grid, width, height), center };
}

export function toScreen({ width, height, scale, center }: View, { spacing }: Grid, point: Point): Point {
  return {
    x: width / 2 + (point.x - center.x) * spacing[1] * scale,
    y: height / 2 + (point.y - center.y) * spacing[0] * scale,
  };
}

export function toPixel({ width, height, scale, center }: View, { spacing }: Grid, screen: Point): Point {
  return {
    x: center.x + (screen.x - width / 2) / (spacing[1] * scale),
    y: center.y + (screen.y - height / 2) / (spacing[0] * scale),
  };
}

/** Zoom by a factor; what lies under a point of the screen stays there, if the middle stays on the slice. */
export function zoom(view: View, grid: Grid, factor: number, screen: Point): View {
  const scale = heldScale(view.scale * factor, grid, view);
  const under = toPixel(view, grid, screen);
  const center = {
    x: under.x - (screen.x - view.width / 2) / (grid.spacing[1] * scale),
    y: under.y - (screen.y - view.height / 2) / (grid.spacing[0] * scale),
  };
  return held({ ...view, scale, center }, grid);
}

/** Move the slice with the hand, by screen pixels. */
export function pan(view: View, grid: Grid, by: Point): View {
  return held({ ...view, center: toPixel(view, grid, { x: view.width / 2 - by.x, y: view.height / 2 - by.y }) }, grid);
}

/** The same middle at the same scale on a screen of another size; what was fitted is fitted again. */
export function resize(view: View, grid: Grid, width: number, height: number): View {
  const fitted = fitView(grid, view.width, view.height);
  const same = view.scale === fitted.scale && view.center.x === fitted.center.x && view.center.y === fitted.center.y;
  if (same) return fitView(grid, width, height);
  return { ...view, width, height, scale: heldScale(view.scale, grid, { width, height }) };
}

function fittingScale({ rows, columns, spacing }: Grid, width: number, height: number): number {
  return Math.min(width / (columns * spacing[1]), height / (rows * spacing[0]));
}

function heldScale(scale: number, grid: Grid, { width, height }: Pick<View, "width" | "height">): number {
  const least = fittingScale(grid, width, height);
  const most = Math.max(least, LARGEST_PIXEL / Math.max(...grid.spacing));
  return Math.min(Math.max(scale, least), most);
}

/** The middle of the screen stays on the slice, so that it cannot be lost. */
function held(view: View, grid: Grid): View {
  const x = Math.min(Math.max(view.center.x, 0), grid.columns - 1);
  const y = Math.min(Math.max(view.center.y, 0), grid.rows - 1);
  return { ...view, center: { x, y } };
}
