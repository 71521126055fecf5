export type ThemeChoice = "auto" | "light" | "dark";
export type Theme = "light" | "dark";

export const THEME_KEY = "ichor-theme";
const ORDER: readonly ThemeChoice[] = ["auto", "light", "dark"];

/** What was stored, or "auto" where nothing usable was. */
export function parseChoice(stored: string | null): ThemeChoice {
  return ORDER.find((choice) => choice === stored) ?? "auto";
}

export function nextChoice(choice: ThemeChoice): ThemeChoice {
  return ORDER[(ORDER.indexOf(choice) + 1) % ORDER.length] ?? "auto";
}

export function resolveTheme(choice: ThemeChoice, systemIsDark: boolean): Theme {
  if (choice === "auto") return systemIsDark ? "dark" : "light";
  return choice;
}
