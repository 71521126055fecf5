import { nextChoice, parseChoice, resolveTheme, THEME_KEY } from "../core/theme";

const system = matchMedia("(prefers-color-scheme: dark)");

function apply(): void {
  const choice = parseChoice(localStorage.getItem(THEME_KEY));
  document.documentElement.dataset.bsTheme = resolveTheme(choice, system.matches);
  for (const button of document.querySelectorAll<HTMLElement>("[data-theme-toggle]")) {
    for (const face of button.querySelectorAll<HTMLElement>("[data-theme-choice]")) {
      face.hidden = face.dataset.themeChoice !== choice;
    }
  }
}

/** Each press of the toggle goes on: as the system, light, dark. */
export function startTheme(): void {
  apply();
  system.addEventListener("change", apply);
  document.addEventListener("click", (event) => {
    if (!(event.target as Element).closest("[data-theme-toggle]")) return;
    localStorage.setItem(THEME_KEY, nextChoice(parseChoice(localStorage.getItem(THEME_KEY))));
    apply();
  });
}
