import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Action, actionForKey, BINDINGS, type KeyPress } from "../islands/annotator/core/keys";

function press(key: string, held: Partial<KeyPress> = {}): Action | null {
  return actionForKey({ key, ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, ...held });
}

describe("keys of the annotator", () => {
  it("has no key twice", () => {
    const keys = BINDINGS.flatMap((binding) => binding.keys);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it("reaches every action of its table by each of its keys", () => {
    for (const { action, keys } of BINDINGS) {
      for (const chord of keys) {
        const parts = chord.split("+").filter(Boolean);
        const name = parts.at(-1) ?? "+";
        const held = {
          ctrlKey: parts.includes("Ctrl"),
          metaKey: parts.includes("Meta"),
          shiftKey: parts.includes("Shift"),
        };
        expect(press(name === "Space" ? " " : name, held)).toEqual(action);
      }
    }
  });

  it.each([
    ["PageUp", {}, { kind: "slice", by: 1 }],
    [",", {}, { kind: "slice", by: -1 }],
    ["ArrowUp", {}, { kind: "cursor", x: 0, y: -1 }],
    ["ArrowRight", { shiftKey: true }, { kind: "cursor", x: 10, y: 0 }],
    [" ", {}, { kind: "dab" }],
    ["Enter", {}, { kind: "pen" }],
    ["h", {}, { kind: "tool", tool: "hand" }],
    ["6", {}, { kind: "label", label: 6 }],
    ["n", {}, { kind: "copy", by: 1 }],
    ["N", { shiftKey: true }, { kind: "copy", by: -1 }],
    ["z", { ctrlKey: true }, { kind: "undo" }],
    ["z", { metaKey: true }, { kind: "undo" }],
    ["Z", { ctrlKey: true, shiftKey: true }, { kind: "redo" }],
    ["Z", { metaKey: true, shiftKey: true }, { kind: "redo" }],
    ["y", { ctrlKey: true }, { kind: "redo" }],
    ["Escape", {}, { kind: "cancel" }],
  ] satisfies [string, Partial<KeyPress>, Action][])("%s %o does %o", (key, held, action) => {
    expect(press(key, held)).toEqual(action);
  });

  it("takes letters under Caps Lock, and signs that a layout makes with Shift", () => {
    expect(press("B")).toEqual({ kind: "tool", tool: "brush" });
    expect(press("n", { shiftKey: true })).toEqual({ kind: "copy", by: -1 });
    expect(press("?", { shiftKey: true })).toEqual({ kind: "help" });
    expect(press("+", { shiftKey: true })).toEqual({ kind: "zoom", by: 1 });
    expect(press("3", { shiftKey: true })).toEqual({ kind: "label", label: 3 });
  });

  it.each([
    ["Tab", {}],
    ["7", {}],
    ["z", {}],
    ["+", { ctrlKey: true }],
    ["0", { metaKey: true }],
    ["f", { ctrlKey: true }],
    ["y", { metaKey: true }],
    ["ArrowLeft", { altKey: true }],
    ["PageDown", { ctrlKey: true }],
    ["b", { shiftKey: true }],
    ["z", { ctrlKey: true, altKey: true }],
  ])("%s %o is left to the browser", (key, held) => {
    expect(press(key, held)).toBeNull();
  });
});

/** Keys whose name in the help is not that of the event; the others stand there as they are, letters large. */
const SHOWN: Readonly<Record<string, string>> = {
  "Page Up": "PageUp",
  "Page Down": "PageDown",
  "←": "ArrowLeft",
  "→": "ArrowRight",
  "↑": "ArrowUp",
  "↓": "ArrowDown",
  "−": "-",
};
const CANVAS = "apps/annotation/templates/annotation/partials/canvas.html";
/** What whoever only looks at a mask can do. */
const LOOKING = ["slice", "cursor", "zoom", "fit", "window", "outline"];
/** The button that opens the help names its key, and Escape does what it does everywhere. */
const ELSEWHERE = ["help", "cancel"];

/** The chords of one line: keys joined by + are pressed together, a dash stands for all between. */
function chordsOf(line: string): string[] {
  const keys = [...line.matchAll(/<kbd>(.+?)<\/kbd>([+–\s]*)/g)].map(([, key, joint]) => ({
    name: SHOWN[key as string] ?? ((key as string).length === 1 ? (key as string).toLowerCase() : (key as string)),
    joint: (joint as string).trim(),
  }));
  const chords: string[] = [];
  let held = "";
  keys.forEach(({ name, joint }, i) => {
    if (keys[i - 1]?.joint === "–") for (let k = Number(chords.at(-1)) + 1; k < Number(name); k++) chords.push(`${k}`);
    if (joint !== "+") chords.push(held + name);
    held = joint === "+" ? `${held}${name}+` : "";
  });
  return line.includes("with Shift") ? [...chords, ...chords.map((chord) => `Shift+${chord}`)] : chords;
}

describe("the help of the annotator", () => {
  const page = readFileSync(new URL(`../../${CANVAS}`, import.meta.url), "utf8");
  const help = page.slice(page.indexOf("<dialog"), page.indexOf("</dialog>"));
  const drawing = help.slice(help.indexOf("{% if not reading %}"), help.indexOf("{% endif %}"));
  const chordsIn = (html: string) => [...html.matchAll(/<dt>.*<\/dd>/g)].flatMap(([line]) => chordsOf(line)).sort();
  const firstKeys = (wanted: (kind: string) => boolean) =>
    BINDINGS.filter(({ action }) => wanted(action.kind) && !ELSEWHERE.includes(action.kind))
      .map(({ keys }) => keys[0])
      .sort();

  it("names a key of every action, and none that does nothing", () => {
    expect(drawing).not.toBe("");
    expect(chordsIn(help)).toEqual(firstKeys(() => true));
    expect(page.replace(help, "")).toContain("<kbd>?</kbd>");
  });

  it("names to whoever only looks the keys that look", () => {
    expect(chordsIn(help.replace(drawing, ""))).toEqual(firstKeys((kind) => LOOKING.includes(kind)));
  });
});
