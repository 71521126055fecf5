import { shortcutFor } from "../core/shortcuts";

const OFF_KEY = "ichor-shortcuts-off";

function isTyping(target: EventTarget | null): boolean {
  const element = target as HTMLElement | null;
  return !!element?.closest?.("input, textarea, select, [contenteditable]");
}

function openHelp(): void {
  (document.getElementById("shortcuts-dialog") as HTMLDialogElement | null)?.showModal();
}

export function startShortcuts(): void {
  const enabled = () => localStorage.getItem(OFF_KEY) === null;
  const toggle = document.querySelector<HTMLInputElement>("[data-shortcuts-enabled]");
  if (toggle) toggle.checked = enabled();
  toggle?.addEventListener("change", () => {
    if (toggle.checked) localStorage.removeItem(OFF_KEY);
    else localStorage.setItem(OFF_KEY, "1");
  });
  document.addEventListener("click", (event) => {
    if ((event.target as Element).closest("[data-shortcuts-help]")) openHelp();
  });
  document.addEventListener("keydown", (event) => {
    const shortcut = shortcutFor(event, isTyping(event.target), enabled());
    if (shortcut === null || document.querySelector("dialog[open]")) return;
    const search = document.querySelector<HTMLInputElement>("input[type=search]");
    if (shortcut === "search" && !search) return;
    event.preventDefault();
    if (shortcut === "help") openHelp();
    else search?.select();
    if (shortcut === "search") search?.focus();
  });
}
