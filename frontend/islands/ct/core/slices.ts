export const WINDOWS = ["brain", "subdural", "bone"] as const;
export type WindowName = (typeof WINDOWS)[number];

export interface SliceInfo {
  index: number;
  offset_mm: number;
  extent_mm: number;
  mask_area_mm2: number | null;
}

export interface View {
  /** Position of the slice shown, counted from 0 in the order of the series. */
  position: number;
  count: number;
  window: WindowName;
  overlay: boolean;
}

export type Action =
  | { kind: "go"; position: number }
  | { kind: "step"; by: number }
  | { kind: "window"; window: WindowName }
  | { kind: "overlay" };

function clamp(position: number, count: number): number {
  return Math.min(Math.max(Math.round(position), 0), Math.max(count - 1, 0));
}

export function update(view: View, action: Action): View {
  switch (action.kind) {
    case "go":
      return { ...view, position: clamp(action.position, view.count) };
    case "step":
      return { ...view, position: clamp(view.position + action.by, view.count) };
    case "window":
      return { ...view, window: action.window };
    case "overlay":
      return { ...view, overlay: !view.overlay };
  }
}

const PAGE = 5;

/** What a key does while the viewer has the focus; null leaves the key to the browser. */
export function actionForKey(key: string, count: number): Action | null {
  const keys: Readonly<Record<string, Action>> = {
    ArrowUp: { kind: "step", by: -1 },
    ArrowLeft: { kind: "step", by: -1 },
    ArrowDown: { kind: "step", by: 1 },
    ArrowRight: { kind: "step", by: 1 },
    PageUp: { kind: "step", by: -PAGE },
    PageDown: { kind: "step", by: PAGE },
    Home: { kind: "go", position: 0 },
    End: { kind: "go", position: count - 1 },
    m: { kind: "overlay" },
    M: { kind: "overlay" },
    "1": { kind: "window", window: "brain" },
    "2": { kind: "window", window: "subdural" },
    "3": { kind: "window", window: "bone" },
  };
  return keys[key] ?? null;
}

/** Address of one slice's picture: {index} filled in, and window and overlay set whatever the pattern said of them. */
export function sliceUrl(pattern: string, index: number, window: WindowName, overlay: boolean): string {
  const [path = "", query = ""] = pattern.replaceAll("{index}", String(index)).split("?");
  const parameters = new URLSearchParams(query);
  parameters.set("window", window);
  parameters.set("overlay", overlay ? "1" : "0");
  return `${path}?${parameters}`;
}

/** Positions worth loading before they are asked for: the nearest first, ahead before behind. */
export function neighbors(position: number, count: number, reach = 3): number[] {
  const found: number[] = [];
  for (let step = 1; step <= reach; step++) {
    for (const other of [position + step, position - step]) if (other >= 0 && other < count) found.push(other);
  }
  return found;
}

/** Whole slices in what the wheel has turned so far, and the rest to keep for its next turn. */
export function wheelSteps(turned: number, notch = 40): { steps: number; rest: number } {
  const steps = Math.trunc(turned / notch);
  return { steps, rest: turned - steps * notch };
}

/** Slice descriptions in the order shown; where the server sent none, the bare indices. */
export function readSlices(given: unknown, count: number): (SliceInfo | { index: number })[] {
  if (Array.isArray(given) && given.length > 0) return given as SliceInfo[];
  return Array.from({ length: count }, (_, index) => ({ index }));
}

/** Where to open: the slice with the largest hematoma, else the middle one. */
export function openingPosition(slices: readonly (SliceInfo | { index: number })[]): number {
  let best = -1;
  let area = 0;
  slices.forEach((slice, position) => {
    const here = "mask_area_mm2" in slice ? (slice.mask_area_mm2 ?? 0) : 0;
    if (here > area) [best, area] = [position, here];
  });
  return best >= 0 ? best : Math.floor((slices.length - 1) / 2);
}
