import type { Editor } from "../core/editor";

/** Remarks: buttons that lead to their place, and a form that pins a new one to the cursor. Returns what follows it. */
export function connectRemarks(editor: Editor): () => void {
  for (const button of document.querySelectorAll<HTMLElement>("[data-go]")) {
    button.addEventListener("click", () => {
      const [z = 0, y = 0, x = 0] = (button.dataset.go ?? "").split(",").map(Number);
      editor.go({ z, y, x });
    });
  }
  const form = document.querySelector<HTMLFormElement>("[data-annotator-remark]");
  const pin = form?.querySelector<HTMLInputElement>("[data-pin]");
  if (!form || !pin) return () => {};
  const follow = () => {
    const { z, y, x } = editor.voxel;
    const place: Record<string, number> = { slice: z, row: y, column: x };
    for (const [name, value] of Object.entries(place)) {
      const field = form.querySelector<HTMLInputElement>(`[name=${name}]`);
      if (field) field.value = pin.checked ? String(value) : "";
    }
    const output = form.querySelector<HTMLElement>("[data-pinned]");
    if (output) output.textContent = pin.checked ? `${z + 1} · ${x}, ${y}` : "";
  };
  pin.addEventListener("change", follow);
  return follow;
}
