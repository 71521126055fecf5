import type { WindowName } from "./ct";
import type { Tool } from "./keys";
import type { Paint, Range } from "./tools/paint";

/** What the person has set. */
export interface Settings {
  tool: Tool;
  label: number;
  /** Diameter of the brush, mm. */
  size: number;
  /** Whether the tools keep to `range`. */
  ranged: boolean;
  range: Range;
  window: WindowName;
  /** Whether the mask is seen. */
  outline: boolean;
}

/** HU of blood: 45 to 95. */
export const START: Settings = {
  tool: "brush",
  label: 1,
  size: 8,
  ranged: true,
  range: { low: 45, high: 95 },
  window: "brain",
  outline: true,
};

export const SIZES = { least: 1, most: 40 };
/** mm from the click beyond which nothing grows. */
export const GROWTH_MM = 50;

/** How the tool marks. The eraser takes off whatever lies there, of any HU. */
export function paintOf({ tool, label, ranged, range }: Settings): Paint {
  return tool === "eraser" ? { label: 0 } : { label, range: ranged ? range : undefined };
}

export function resized(size: number, by: 1 | -1): number {
  const step = size < 10 ? 1 : 2;
  return Math.min(Math.max(size + by * step, SIZES.least), SIZES.most);
}
