import { part, readJson } from "../../mount";
import { decimals, fill } from "../../text";
import {
  type Action,
  actionForKey,
  neighbors,
  openingPosition,
  readSlices,
  sliceUrl,
  update,
  type View,
  WINDOWS,
  wheelSteps,
} from "../core/slices";

/** The viewer of partials/ct.html: pictures come from the server, this file only chooses which one is shown. */
export class Viewer {
  private readonly image: HTMLImageElement;
  private readonly stage: HTMLElement;
  private readonly slider: HTMLInputElement;
  private readonly overlayBox: HTMLInputElement | null;
  private readonly slices;
  private readonly pattern: string;
  private view: View;
  private turned = 0;

  constructor(private readonly root: HTMLElement) {
    this.image = part<HTMLImageElement>(root, "image");
    this.stage = part(root, "stage");
    this.slider = part<HTMLInputElement>(root, "slider");
    this.overlayBox = root.querySelector('[data-part="overlay"]');
    this.pattern = root.dataset.sliceUrl ?? "";
    this.slices = readSlices(readJson(root.dataset.sliceInfo), Number(root.dataset.slices));
    this.view = {
      position: openingPosition(this.slices),
      count: this.slices.length,
      window: "brain",
      overlay: this.overlayBox !== null,
    };
    this.slider.max = String(this.view.count);
    this.listen();
    this.show();
  }

  private listen(): void {
    this.slider.addEventListener("input", () => this.act({ kind: "go", position: Number(this.slider.value) - 1 }));
    this.overlayBox?.addEventListener("change", () => this.act({ kind: "overlay" }));
    for (const radio of this.root.querySelectorAll<HTMLInputElement>('[data-part="window"]')) {
      const window = WINDOWS.find((name) => name === radio.value) ?? "brain";
      radio.addEventListener("change", () => this.act({ kind: "window", window }));
    }
    this.stage.addEventListener("wheel", (event) => this.turn(event), { passive: false });
    this.stage.addEventListener("keydown", (event) => this.press(event));
    this.image.addEventListener("load", () => this.loaded());
    this.image.addEventListener("error", () => this.failed());
  }

  private press(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const action = actionForKey(event.key, this.view.count);
    if (!action || (action.kind === "overlay" && !this.overlayBox)) return;
    event.preventDefault();
    this.act(action);
  }

  /** At the first and last slice the wheel scrolls the page again, so that nobody is trapped over the picture. */
  private turn(event: WheelEvent): void {
    if (event.ctrlKey) return;
    const perLine = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 40 : 1;
    const { steps, rest } = wheelSteps(this.turned + event.deltaY * perLine);
    this.turned = rest;
    const next = update(this.view, { kind: "step", by: Math.sign(event.deltaY) });
    if (next.position === this.view.position) return;
    event.preventDefault();
    if (steps !== 0) this.act({ kind: "step", by: steps });
  }

  private act(action: Action): void {
    this.view = update(this.view, action);
    this.show();
  }

  private url(position: number): string {
    const { window, overlay } = this.view;
    return sliceUrl(this.pattern, this.slices[position]?.index ?? position, window, overlay);
  }

  private show(): void {
    const { position, window, overlay } = this.view;
    const address = this.url(position);
    if (this.image.getAttribute("src") !== address) {
      this.stage.setAttribute("aria-busy", "true");
      this.image.src = address;
    }
    this.slider.value = String(position + 1);
    if (this.overlayBox) this.overlayBox.checked = overlay;
    for (const radio of this.root.querySelectorAll<HTMLInputElement>('[data-part="window"]')) {
      radio.checked = radio.value === window;
    }
    this.describe();
  }

  private describe(): void {
    const { position, count } = this.view;
    const slice = this.slices[position];
    const text = this.root.dataset;
    const sentences = [fill(text.textSlice ?? "{k} / {n}", { k: position + 1, n: count })];
    if (slice && "offset_mm" in slice) {
      const values = { position: decimals(slice.offset_mm, 1), extent: decimals(slice.extent_mm, 2) };
      sentences.push(fill(text.textGeometry ?? "", values));
      if (slice.mask_area_mm2) {
        sentences.push(fill(text.textMask ?? "", { area: decimals(slice.mask_area_mm2, 0) }));
      }
    }
    const sentence = sentences.filter(Boolean).join(" · ");
    part(this.root, "where").textContent = sentence;
    this.slider.setAttribute("aria-valuetext", sentence);
    this.image.alt = sentence;
  }

  private loaded(): void {
    this.stage.removeAttribute("aria-busy");
    part(this.root, "failed").hidden = true;
    for (const position of neighbors(this.view.position, this.view.count)) new Image().src = this.url(position);
  }

  private failed(): void {
    this.stage.removeAttribute("aria-busy");
    part(this.root, "failed").hidden = false;
  }
}
