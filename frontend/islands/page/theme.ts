// Runs in <head> before anything is painted, so that a dark page never flashes light.
import { parseChoice, resolveTheme, THEME_KEY } from "./core/theme";

const choice = parseChoice(localStorage.getItem(THEME_KEY));
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
document.documentElement.dataset.bsTheme = resolveTheme(choice, dark);
