import { lifetime, parseToast, type Toast } from "../core/toast";

/** Show a sentence at the foot of the page; `#toasts` is a live region, so screen readers say it too. */
export function showToast(toast: Toast): void {
  const holder = document.getElementById("toasts");
  const template = document.getElementById("toast-template") as HTMLTemplateElement | null;
  const element = template?.content.firstElementChild?.cloneNode(true) as HTMLElement | undefined;
  if (!holder || !element) return;
  element.dataset.level = toast.level;
  const text = element.querySelector("[data-part=text]");
  if (text) text.textContent = toast.text;
  holder.append(element);
  const stay = lifetime(toast);
  if (stay !== null) setTimeout(() => element.remove(), stay);
}

export function startToasts(): void {
  document.addEventListener("toast", (event) => {
    const toast = parseToast((event as CustomEvent).detail);
    if (toast) showToast(toast);
  });
}
