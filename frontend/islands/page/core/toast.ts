export type ToastLevel = "success" | "info" | "warning" | "danger";

export interface Toast {
  level: ToastLevel;
  text: string;
}

const LEVELS: readonly ToastLevel[] = ["success", "info", "warning", "danger"];

/** Read what HX-Trigger carried: {"toast": {"level": "success", "text": "Saved"}} or {"toast": "Saved"}. */
export function parseToast(detail: unknown): Toast | null {
  const given = detail as { level?: unknown; text?: unknown; value?: unknown } | null;
  const text = given?.text ?? given?.value;
  if (typeof text !== "string" || text === "") return null;
  return { level: LEVELS.find((level) => level === given?.level) ?? "info", text };
}

/** Warnings and failures stay until they are closed; good news leaves by itself. */
export function lifetime(toast: Toast): number | null {
  return toast.level === "success" || toast.level === "info" ? 5000 : null;
}

/** Whether an answer is a whole page, which must never be swapped into a part of one. */
export function isWholePage(body: string): boolean {
  return /^\s*<(!doctype|html)[\s>]/i.test(body);
}
