import { neighbors, sliceUrl } from "../../ct/core/slices";
import { part, readJson } from "../../mount";
import { fill } from "../../text";
import { mostMarked, percentOf } from "../core/shares";

/** The map over the slices of the CT viewer, which chooses the slice; this file only keeps its layer in step. */
export class Heat {
  private readonly layer: HTMLImageElement;
  private readonly slider: HTMLInputElement;
  private readonly shown: HTMLInputElement;
  private readonly opacity: HTMLInputElement;
  private readonly outline: HTMLInputElement | null;
  private readonly shares: readonly number[];

  constructor(private readonly root: HTMLElement) {
    this.layer = part<HTMLImageElement>(root, "heat");
    this.slider = part<HTMLInputElement>(root, "slider");
    this.shown = part<HTMLInputElement>(root, "heat-shown");
    this.opacity = part<HTMLInputElement>(root, "opacity");
    this.outline = root.querySelector('[data-part="overlay"]');
    this.shares = readJson(root.dataset.shares) as number[];
    this.listen();
    this.slider.value = String(mostMarked(this.shares) + 1);
    this.slider.dispatchEvent(new Event("input"));
    this.fade();
  }

  private listen(): void {
    // Once the CT's slice is there, and not before: a map never lies on another slice than its own.
    part(this.root, "image").addEventListener("load", () => this.follow());
    this.layer.addEventListener("load", () => this.layer.classList.remove("is-waiting"));
    this.shown.addEventListener("change", () => this.fade());
    this.opacity.addEventListener("input", () => this.fade());
    part(this.root, "stage").addEventListener("keydown", (event) => this.press(event));
  }

  private press(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.key.toLowerCase() !== "h") return;
    event.preventDefault();
    this.shown.checked = !this.shown.checked;
    this.fade();
  }

  private url(position: number): string {
    return sliceUrl(this.root.dataset.heatUrl ?? "", position, "brain", this.outline?.checked ?? false);
  }

  private follow(): void {
    const position = Number(this.slider.value) - 1;
    const address = this.url(position);
    if (this.layer.getAttribute("src") !== address) {
      this.layer.classList.add("is-waiting");
      this.layer.src = address;
    }
    const percent = percentOf(this.shares[position] ?? 0);
    part(this.root, "share").textContent = fill(this.root.dataset.textShare ?? "", { percent });
    for (const other of neighbors(position, this.shares.length)) new Image().src = this.url(other);
  }

  private fade(): void {
    this.layer.hidden = !this.shown.checked;
    this.layer.style.opacity = String(Number(this.opacity.value) / 100);
  }
}
