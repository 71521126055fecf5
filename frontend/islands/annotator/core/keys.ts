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
  /** What the help calls it; bindings of one name share a line there. */
  name: string;
  action: Action;
  /** As `chordOf` writes them. */
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
  const near = ARROWS.map(([key, x, y]) => bind("cursor", { kind: "cursor", x, y }, key));
  const far = ARROWS.map(([key, x, y]) =>
    bind("cursor_far", { kind: "cursor", x: FAR * x, y: FAR * y }, `Shift+${key}`),
  );
  return [...near, ...far];
}

function labelBindings(): Binding[] {
  return Array.from({ length: LABEL_COUNT }, (_, i) => bind("label", { kind: "label", label: i + 1 }, String(i + 1)));
}

function bind(name: string, action: Action, ...keys: string[]): Binding {
  return { name, action, keys };
}

/** All keys of the annotator, in the order of its help. */
export const BINDINGS: readonly Binding[] = [
  bind("slice_up", { kind: "slice", by: 1 }, "PageUp", "."),
  bind("slice_down", { kind: "slice", by: -1 }, "PageDown", ","),
  ...cursorBindings(),
  bind("dab", { kind: "dab" }, "Space"),
  bind("pen", { kind: "pen" }, "Enter"),
  bind("brush", { kind: "tool", tool: "brush" }, "b"),
  bind("eraser", { kind: "tool", tool: "eraser" }, "e"),
  bind("contour", { kind: "tool", tool: "contour" }, "c"),
  bind("fill", { kind: "tool", tool: "fill" }, "f"),
  bind("grow", { kind: "tool", tool: "grow" }, "g"),
  bind("hand", { kind: "tool", tool: "hand" }, "h"),
  bind("range", { kind: "range" }, "r"),
  bind("smaller", { kind: "radius", by: -1 }, "["),
  bind("larger", { kind: "radius", by: 1 }, "]"),
  ...labelBindings(),
  bind("interpolate", { kind: "interpolate" }, "i"),
  bind("copy_up", { kind: "copy", by: 1 }, "n"),
  bind("copy_down", { kind: "copy", by: -1 }, "Shift+n"),
  bind("clear", { kind: "clear" }, "Delete", "Backspace"),
  bind("undo", { kind: "undo" }, "Ctrl+z", "Meta+z"),
  bind("redo", { kind: "redo" }, "Ctrl+Shift+z", "Meta+Shift+z", "Ctrl+y"),
  // Where + needs Shift, its key is = without it.
  bind("zoom_in", { kind: "zoom", by: 1 }, "+", "="),
  bind("zoom_out", { kind: "zoom", by: -1 }, "-"),
  bind("fit", { kind: "fit" }, "0"),
  bind("window", { kind: "window" }, "w"),
  bind("outline", { kind: "outline" }, "m"),
  bind("help", { kind: "help" }, "?"),
  bind("cancel", { kind: "cancel" }, "Escape"),
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

/** The lines of the help: each name with all its keys. */
export function helpLines(): { name: string; keys: string[] }[] {
  const lines = new Map<string, string[]>();
  for (const { name, keys } of BINDINGS) lines.set(name, [...(lines.get(name) ?? []), ...keys]);
  return [...lines].map(([name, keys]) => ({ name, keys }));
}
