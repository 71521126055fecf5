import { describe, expect, it } from "vitest";
import { type Action, actionForKey, BINDINGS, helpLines, type KeyPress } from "../islands/annotator/core/keys";

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

  it("has one help line for each name", () => {
    expect(helpLines()).toContainEqual({ name: "label", keys: ["1", "2", "3", "4", "5", "6"] });
    expect(helpLines()).toContainEqual({ name: "cursor", keys: ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"] });
    expect(helpLines().flatMap(({ keys }) => keys)).toHaveLength(BINDINGS.flatMap(({ keys }) => keys).length);
  });
});
