import { LABEL_COUNT } from "./labels";

export type Tool = "brush" | "eraser" | "contour" | "fill" | "grow" | "hand";

export type Action =
  /** Slices toward the head. */
  | { kind: "slice"; by: 1 | -1 }
  /** Pixels. */
  | { kind: "cursor"; x: number; y: number }
  /** Paint once at the cursor. */
  | { kind: "dab" }
  /** Put the pen down, so that the cursor paints as it moves, or lift it. */
  | { kind: "pen" }
  | { kind: "tool"; tool: Tool }
  | { kind: "range" }
  | { kind: "radius"; by: 1 | -1 }
  | { kind: "label"; label: number }
  | { kind: "interpolate" }
  /** To the next slice toward the head (1) or the feet (-1). */
  | { kind: "copy"; by: 1 | -1 }
  | { kind: "clear" }
  | { kind: "undo" }
  | { kind: "redo" }
  | { kind: "zoom"; by: 1 | -1 }
  | { kind: "fit" }
  | { kind: "window" }
  | { kind: "outline" }
  | { kind: "help" }
  | { kind: "cancel" };

export interface Binding {
  action: Action;
  /** As `chordOf` writes them; the first is the one that the help shows. */
  keys: readonly string[];
}

const ARROWS = [
  ["ArrowLeft", -1, 0],
  ["ArrowRight", 1, 0],
  ["ArrowUp", 0, -1],
  ["ArrowDown", 0, 1],
] as const;

/** Pixels that the cursor moves with Shift. */
const FAR = 10;

function cursorBindings(): Binding[] {
  const near = ARROWS.map(([key, x, y]) => bind({ kind: "cursor", x, y }, key));
  const far = ARROWS.map(([key, x, y]) => bind({ kind: "cursor", x: FAR * x, y: FAR * y }, `Shift+${key}`));
  return [...near, ...far];
}

function labelBindings(): Binding[] {
  return Array.from({ length: LABEL_COUNT }, (_, i) => bind({ kind: "label", label: i + 1 }, String(i + 1)));
}

function bind(action: Action, ...keys: string[]): Binding {
  return { action, keys };
}

/** All keys of the annotator, in the order of its help. */
export const BINDINGS: readonly Binding[] = [
  bind({ kind: "slice", by: 1 }, "PageUp", "."),
  bind({ kind: "slice", by: -1 }, "PageDown", ","),
  ...cursorBindings(),
  bind({ kind: "dab" }, "Space"),
  bind({ kind: "pen" }, "Enter"),
  bind({ kind: "tool", tool: "brush" }, "b"),
  bind({ kind: "tool", tool: "eraser" }, "e"),
  bind({ kind: "tool", tool: "contour" }, "c"),
  bind({ kind: "tool", tool: "fill" }, "f"),
  bind({ kind: "tool", tool: "grow" }, "g"),
  bind({ kind: "tool", tool: "hand" }, "h"),
  bind({ kind: "range" }, "r"),
  bind({ kind: "radius", by: -1 }, "["),
  bind({ kind: "radius", by: 1 }, "]"),
  ...labelBindings(),
  bind({ kind: "interpolate" }, "i"),
  bind({ kind: "copy", by: 1 }, "n"),
  bind({ kind: "copy", by: -1 }, "Shift+n"),
  bind({ kind: "clear" }, "Delete", "Backspace"),
  bind({ kind: "undo" }, "Ctrl+z", "Meta+z"),
  bind({ kind: "redo" }, "Ctrl+y", "Ctrl+Shift+z", "Meta+Shift+z"),
  // Where + needs Shift, its key is = without it.
  bind({ kind: "zoom", by: 1 }, "+", "="),
  bind({ kind: "zoom", by: -1 }, "-"),
  bind({ kind: "fit" }, "0"),
  bind({ kind: "window" }, "w"),
  bind({ kind: "outline" }, "m"),
  bind({ kind: "help" }, "?"),
  bind({ kind: "cancel" }, "Escape"),
];

const ACTIONS: ReadonlyMap<string, Action> = new Map(
  BINDINGS.flatMap(({ action, keys }) => keys.map((key) => [key, action] as const)),
);

export type KeyPress = Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "shiftKey" | "altKey">;

/** A key with its modifiers as the table writes it: letters small, whatever Caps Lock; Shift not where it made the sign. */
export function chordOf({ key, ctrlKey, metaKey, shiftKey, altKey }: KeyPress): string {
  const name = key === " " ? "Space" : key.length === 1 ? key.toLowerCase() : key;
  const sign = name.length === 1 && name === name.toUpperCase();
  const held = [ctrlKey && "Ctrl", metaKey && "Meta", altKey && "Alt", shiftKey && !sign && "Shift", name];
  return held.filter(Boolean).join("+");
}

/** What a key does while the annotator has the focus; null leaves it to the browser. */
export function actionForKey(press: KeyPress): Action | null {
  return ACTIONS.get(chordOf(press)) ?? null;
}
