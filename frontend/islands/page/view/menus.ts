/** Menus are <details class="menu">: they work without script; with it they close on Escape and on a click elsewhere. */
export function startMenus(): void {
  const open = () => document.querySelectorAll<HTMLDetailsElement>("details.menu[open]");
  document.addEventListener("click", (event) => {
    for (const menu of open()) if (!menu.contains(event.target as Node)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of open()) {
      menu.open = false;
      menu.querySelector("summary")?.focus();
    }
  });
}

/** Closes alerts that can be dismissed, and fills the sign-in form from a row of demonstration accounts. */
export function startButtons(): void {
  document.addEventListener("click", (event) => {
    const target = event.target as Element;
    target.closest("[data-dismiss]")?.closest(".alert, .toast")?.remove();
    const account = target.closest<HTMLElement>("[data-fill-username]");
    if (account) fillSignIn(account);
    const print = target.closest("[data-print]");
    if (print) window.print();
  });
}

function fillSignIn(account: HTMLElement): void {
  const name = document.querySelector<HTMLInputElement>('input[name="login"]');
  const password = document.querySelector<HTMLInputElement>('input[name="password"]');
  if (!name || !password) return;
  name.value = account.dataset.fillUsername ?? "";
  password.value = account.dataset.fillPassword ?? "";
  name.form?.querySelector<HTMLElement>('button[type="submit"]')?.focus();
}
