import { expect, test } from "vitest";
import type { Ct } from "../islands/annotator/core/ct";
import { Editor, type Note } from "../islands/annotator/core/editor";
import { actionForKey } from "../islands/annotator/core/keys";
import { Mask, milliliters } from "../islands/annotator/core/mask";

/** Three slices of 20 x 20 pixels of 1 mm, 4 and 7 mm apart; a column of blood of 60 HU in brain of 30 HU. */
function ct(): Ct {
  const hu = new Int16Array(3 * 400).fill(30);
  for (let z = 0; z < 3; z++) for (let y = 5; y < 10; y++) hu.fill(60, z * 400 + y * 20 + 5, z * 400 + y * 20 + 10);
  const shifts = { rowShift: [0, 0, 0], columnShift: [0, 0, 0] };
  return {
    slices: 3,
    rows: 20,
    columns: 20,
    hu,
    spacing: [1, 1],
    extents: [4, 5.5, 7],
    offsets: [0, 4, 11],
    ...shifts,
  };
}

function opened(reading = false) {
  const [head, mask] = [ct(), new Mask(3, 20, 20)];
  const heard: { notes: Note[]; saved: number[] } = { notes: [], saved: [] };
  const editor = new Editor(head, mask, reading, {
    shown: () => {},
    drawn: (slices, done) => done && heard.saved.push(...slices),
    note: (note) => heard.notes.push(note),
  });
  return { head, mask, editor, heard };
}

function press(editor: Editor, ...keys: string[]): void {
  for (const key of keys) {
    const [name = "", ...held] = key.split("+").reverse();
    const action = actionForKey({
      key: name === "Space" ? " " : name,
      ctrlKey: held.includes("Ctrl"),
      shiftKey: held.includes("Shift"),
      metaKey: false,
      altKey: false,
    });
    if (action) editor.act(action);
  }
}

test("it opens in the middle of an empty mask, and where most is drawn of another", () => {
  expect(opened().editor.voxel).toEqual({ z: 1, y: 10, x: 10 });
  const mask = new Mask(3, 20, 20);
  for (const pixel of [0, 1, 2, 20, 21, 22, 40, 41, 42]) mask.put(2, pixel, 1);
  mask.put(0, 0, 1);
  const editor = new Editor(ct(), mask, false, { shown: () => {}, drawn: () => {}, note: () => {} });
  expect(editor.voxel).toEqual({ z: 2, y: 1, x: 1 });
});

test("a stroke keeps to the HU range, is one step, and is told once it ends", () => {
  const { head, mask, editor, heard } = opened();
  editor.go({ z: 0, y: 7, x: 7 });
  editor.set({ size: 20 });
  editor.press();
  expect(editor.isPenDown).toBe(true);
  expect(heard.saved).toEqual([]);
  editor.moveTo({ x: 9, y: 7 });
  editor.lift();
  expect(heard.saved).toEqual([0]);
  expect(mask.count(0, 1)).toBe(25);
  expect(milliliters(mask, head)[1]).toBeCloseTo((25 * 4) / 1000, 12);
  press(editor, "Ctrl+z");
  expect(mask.count(0, 1)).toBe(0);
  press(editor, "Ctrl+y");
  expect(mask.count(0, 1)).toBe(25);
});

test("keys draw: the pen is put down, moved with the arrows and lifted; leaving the slice lifts it", () => {
  const { mask, editor } = opened();
  editor.set({ ranged: false, size: 1 });
  press(editor, "Enter", "ArrowRight", "ArrowRight", "Enter", "ArrowRight");
  expect(mask.count(1, 1)).toBe(3);
  press(editor, "Enter", "PageUp", "ArrowRight");
  expect(editor.isPenDown).toBe(false);
  expect(mask.count(2, 1)).toBe(0);
});

test("a contour by keys is closed by Enter; Escape throws it away", () => {
  const { mask, editor } = opened();
  editor.set({ ranged: false });
  press(editor, "c", "Space", "Shift+ArrowLeft", "Space", "Shift+ArrowUp", "Space", "Escape");
  press(editor, "Enter", "Enter");
  expect(mask.count(1, 1)).toBe(0);
  editor.go({ z: 1, y: 2, x: 2 });
  press(editor, "Space");
  editor.moveTo({ x: 6, y: 2 });
  editor.moveTo({ x: 6, y: 6 });
  editor.moveTo({ x: 2, y: 6 });
  press(editor, "Enter");
  expect(mask.count(1, 1)).toBe(16);
});

test("growing outside the range says so and changes nothing", () => {
  const { mask, editor, heard } = opened();
  editor.go({ z: 1, y: 15, x: 15 });
  press(editor, "g", "Space");
  expect(heard.notes.at(-1)).toBe("outOfRange");
  editor.go({ z: 1, y: 7, x: 7 });
  press(editor, "Space");
  expect([0, 1, 2].map((z) => mask.count(z, 1)).every((count) => count >= 9)).toBe(true);
});

test("interpolating says how many slices it filled, and nothing where there is no gap", () => {
  const { mask, editor, heard } = opened();
  editor.set({ size: 20 });
  for (const z of [0, 2]) {
    editor.go({ z, y: 7, x: 7 });
    press(editor, "Space");
  }
  press(editor, "i");
  expect(heard.notes.at(-1)).toEqual({ interpolated: 1 });
  expect(mask.count(1, 1)).toBe(25);
  press(editor, "i");
  expect(heard.notes.at(-1)).toBe("nothing");
});

test("a suggestion goes where nothing is drawn, in one step", () => {
  const { mask, editor } = opened();
  mask.put(0, 0, 2);
  const proposed = new Uint8Array(1200);
  proposed.fill(1, 0, 3);
  proposed.fill(1, 820, 830);
  expect(editor.accept(proposed)).toBe(true);
  expect([mask.count(0, 1), mask.count(0, 2), mask.count(2, 1)]).toEqual([2, 1, 10]);
  expect(editor.z).toBe(2);
  expect(editor.accept(proposed)).toBe(false);
  press(editor, "Ctrl+z");
  expect([mask.count(0, 1), mask.count(0, 2), mask.count(2, 1)]).toEqual([0, 1, 0]);
});

test("who reads changes nothing, but sees all", () => {
  const { mask, editor } = opened(true);
  press(editor, "Space", "Enter", "g", "Space", "Delete", "i", "n", "PageUp");
  editor.press();
  expect(mask.labels.some((label) => label !== 0)).toBe(false);
  expect(editor.z).toBe(2);
});
