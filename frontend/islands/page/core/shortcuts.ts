export type Shortcut = "help" | "search";

export interface KeyPress {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
}

const KEYS: Readonly<Record<string, Shortcut>> = { "?": "help", "/": "search" };

/** The shortcut a key press stands for; none while a person types, or while shortcuts are off (WCAG 2.1.4). */
export function shortcutFor(press: KeyPress, typing: boolean, enabled: boolean): Shortcut | null {
  if (!enabled || typing || press.ctrlKey || press.metaKey || press.altKey) return null;
  return KEYS[press.key] ?? null;
}
