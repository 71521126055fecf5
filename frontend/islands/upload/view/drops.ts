import { collect } from "../core/selection";
import { droppedEntries } from "./entries";

/** Take what is dropped on a zone, folders and all; `failed` is told when the browser cannot read it. */
export function listenForDrops(zone: HTMLElement, taken: (files: File[]) => unknown, failed: () => void): void {
  const hover = (on: boolean) => zone.classList.toggle("is-over", on);
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    hover(true);
  });
  zone.addEventListener("dragleave", () => hover(false));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    hover(false);
    if (event.dataTransfer) collect(droppedEntries(event.dataTransfer)).then(taken, failed);
  });
}
