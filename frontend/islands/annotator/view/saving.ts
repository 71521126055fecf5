import type { CanvasData } from "../core/data";
import type { Editor } from "../core/editor";
import { Saver, type SaveState } from "./saver";

/** Save what is drawn, and have it saved before it is submitted; returns what is called with changed slices. */
export function connectSaving(
  root: HTMLElement,
  data: CanvasData,
  editor: Editor,
): (slices: readonly number[]) => void {
  const form = document.querySelector<HTMLFormElement>("[data-annotator-submit]");
  if (!data.urls.save || !form) return () => {};
  const token = form.querySelector<HTMLInputElement>("[name=csrfmiddlewaretoken]")?.value ?? "";
  const tell = (state: SaveState) => show(root, state);
  const renew = () => renewToken(form);
  const [revision, ofSeries] = [data.revision ?? 0, data.seriesRevision ?? 0];
  const saver = new Saver(editor.mask, data.urls.save, token, renew, revision, ofSeries, tell);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void submit(form, editor, saver);
  });
  addEventListener("beforeunload", (event) => {
    if (!saver.isSaved) event.preventDefault();
  });
  // Whoever goes elsewhere, closes the tab or puts the tablet to sleep, has his last stroke sent before.
  document.addEventListener("visibilitychange", () => void saver.flush());
  return (slices) => saver.touch(slices);
}

async function submit(form: HTMLFormElement, editor: Editor, saver: Saver): Promise<void> {
  editor.lift();
  if (!(await saver.flush())) return;
  const field = form.querySelector<HTMLInputElement>("[name=revision]");
  if (field) field.value = String(saver.revision);
  form.submit();
}

/** The token that this page has by now, for the form too; null where nobody is signed in. */
async function renewToken(form: HTMLFormElement): Promise<string | null> {
  const answer = await fetch(location.href, { redirect: "manual" });
  if (!answer.ok) return null;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector<HTMLInputElement>("[data-annotator-submit] [name=csrfmiddlewaretoken]");
  const field = form.querySelector<HTMLInputElement>("[name=csrfmiddlewaretoken]");
  if (fresh && field) field.value = fresh.value;
  return fresh?.value ?? null;
}

function show(root: HTMLElement, state: SaveState): void {
  const place = document.querySelector<HTMLElement>("[data-annotator-saved]");
  if (!place) return;
  const text = root.dataset;
  const sentences = {
    saved: text.textSaved,
    saving: text.textSaving,
    unsaved: text.textUnsaved,
    signedOut: text.textSignedOut,
  };
  place.textContent = (typeof state === "object" ? state.refused : sentences[state]) ?? "";
  place.classList.toggle("is-unsaved", state !== "saved" && state !== "saving");
}
