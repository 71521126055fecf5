import { part } from "../../mount";
import { decimals, fill } from "../../text";
import { huAt, WINDOW_NAMES } from "../core/ct";
import type { CanvasData } from "../core/data";
import type { Editor, Note } from "../core/editor";
import type { Action, Tool } from "../core/keys";
import { milliliters } from "../core/mask";
import { suggested } from "./suggestion";

const BUTTONS: Readonly<Record<string, Action>> = {
  undo: { kind: "undo" },
  redo: { kind: "redo" },
  interpolate: { kind: "interpolate" },
  copy: { kind: "copy", by: 1 },
  clear: { kind: "clear" },
};

/** Everything beside the pictures: tools, labels with their mL, what is under the cursor. */
export class Panel {
  private readonly text: DOMStringMap;
  private readonly slider: HTMLInputElement;

  constructor(
    private readonly root: HTMLElement,
    private readonly editor: Editor,
    private readonly data: CanvasData,
  ) {
    this.text = root.dataset;
    this.slider = part<HTMLInputElement>(root, "slider");
    for (const swatch of root.querySelectorAll<HTMLElement>("[data-swatch]")) {
      const label = data.labels.find((each) => each.label === Number(swatch.dataset.swatch));
      if (label) swatch.style.backgroundColor = `rgb(${label.color.join(" ")})`;
    }
    this.listen();
  }

  show(): void {
    const { settings, z, ct } = this.editor;
    this.slider.value = String(z + 1);
    const where = fill(this.text.textSlice ?? "", { k: z + 1, n: ct.slices });
    const place = { position: decimals(ct.offsets[z] as number, 1), extent: decimals(ct.extents[z] as number, 2) };
    const sentence = `${where} · ${fill(this.text.textGeometry ?? "", place)}`;
    const shown = part(this.root, "where");
    if (shown.textContent !== sentence) shown.textContent = sentence;
    this.slider.setAttribute("aria-valuetext", sentence);
    const { y, x } = this.editor.voxel;
    const hu = huAt(ct, z, y, x);
    part(this.root, "hu").textContent = hu === null ? "" : fill(this.text.textHu ?? "", { hu: decimals(hu, 0) });
    this.check("window", settings.window);
    this.check("tool", settings.tool);
    this.check("label", String(settings.label));
    this.tick("outline", settings.outline);
    this.tick("range", settings.ranged);
    this.showSize(settings.size);
  }

  showMilliliters(): void {
    const found = milliliters(this.editor.mask, this.editor.ct);
    for (const { label } of this.data.labels) {
      const output = this.root.querySelector(`[data-ml="${label}"]`);
      if (output) output.textContent = decimals(found[label] ?? 0, 2);
    }
    for (const [name, can] of [
      ["undo", this.editor.history.canUndo],
      ["redo", this.editor.history.canRedo],
    ] as const) {
      const button = this.root.querySelector<HTMLButtonElement>(`[data-action="${name}"]`);
      if (button) button.disabled = !can;
    }
  }

  note(note: Note): void {
    const text = this.text;
    const sentences = {
      open: text.textOpen,
      outOfRange: text.textOutOfRange,
      nothing: text.textNothing,
      suggesting: text.textSuggesting,
      noBleed: text.textNoBleed,
      noAnswer: text.textNoAnswer,
    };
    const sentence =
      typeof note === "object"
        ? fill(text.textInterpolated ?? "", { n: note.interpolated })
        : note === ""
          ? ""
          : (sentences[note] ?? "");
    this.say(sentence);
  }

  help(): void {
    part<HTMLDialogElement>(this.root, "help").showModal();
  }

  private listen(): void {
    const { editor, root } = this;
    this.slider.addEventListener("input", () => editor.toSlice(Number(this.slider.value) - 1));
    this.each("window", (radio) => {
      editor.set({ window: WINDOW_NAMES.find((name) => name === radio.value) ?? "brain" });
    });
    this.each("tool", (radio) => editor.set({ tool: radio.value as Tool }));
    this.each("label", (radio) => editor.set({ label: Number(radio.value) }));
    this.each("outline", (box) => editor.set({ outline: box.checked }));
    this.each("range", (box) => editor.set({ ranged: box.checked }));
    this.each("low", (field) => editor.set({ range: { ...editor.settings.range, low: Number(field.value) } }));
    this.each("high", (field) => editor.set({ range: { ...editor.settings.range, high: Number(field.value) } }));
    const size = root.querySelector<HTMLInputElement>('[data-part="size"]');
    size?.addEventListener("input", () => editor.set({ size: Number(size.value) }));
    for (const button of root.querySelectorAll<HTMLButtonElement>("[data-action]")) {
      const name = button.dataset.action ?? "";
      const action = BUTTONS[name];
      if (action) button.addEventListener("click", () => editor.act(action));
      else if (name === "help") button.addEventListener("click", () => this.help());
      else button.addEventListener("click", () => void this.suggest(button));
    }
  }

  private async suggest(button: HTMLButtonElement): Promise<void> {
    const token = document.querySelector<HTMLInputElement>("[name=csrfmiddlewaretoken]")?.value ?? "";
    button.disabled = true;
    this.note("suggesting");
    try {
      const labels = await suggested(this.data.urls.suggestion ?? "", token);
      if (!(labels instanceof Uint8Array)) this.say(labels.refused || (this.text.textNoAnswer ?? ""));
      else this.note(this.editor.accept(labels) ? "" : "noBleed");
    } catch {
      this.note("noAnswer");
    } finally {
      button.disabled = false;
    }
  }

  private say(sentence: string): void {
    part(this.root, "note").textContent = sentence;
  }

  private each(name: string, change: (input: HTMLInputElement) => void): void {
    for (const input of this.root.querySelectorAll<HTMLInputElement>(`[data-part="${name}"]`)) {
      input.addEventListener("change", () => change(input));
    }
  }

  private check(name: string, value: string): void {
    for (const radio of this.root.querySelectorAll<HTMLInputElement>(`[data-part="${name}"]`)) {
      radio.checked = radio.value === value;
    }
  }

  private tick(name: string, on: boolean): void {
    const box = this.root.querySelector<HTMLInputElement>(`[data-part="${name}"]`);
    if (box) box.checked = on;
  }

  private showSize(size: number): void {
    const slider = this.root.querySelector<HTMLInputElement>('[data-part="size"]');
    if (!slider) return;
    slider.value = String(size);
    part(this.root, "size-mm").textContent = `${size}\u202fmm`;
  }
}
