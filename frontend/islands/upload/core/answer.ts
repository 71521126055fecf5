export type Answer =
  | { kind: "go"; location: string }
  | { kind: "refused"; sentence: string; figure?: string }
  | { kind: "unreadable" };

/** Read the server's answer: a place to go to, or the sentence with which it refused and the picture that goes with it. */
export function readAnswer(status: number, body: string): Answer {
  const document = parse(body);
  if (status >= 200 && status < 300 && typeof document?.location === "string") {
    return isOwnPath(document.location) ? { kind: "go", location: document.location } : { kind: "unreadable" };
  }
  const sentence = document?.detail ?? document?.title;
  if (status >= 400 && status < 500 && typeof sentence === "string" && sentence !== "") {
    const figure = document?.figure;
    return { kind: "refused", sentence, ...(typeof figure === "string" && { figure }) };
  }
  return { kind: "unreadable" };
}

/** Only a path of this site is followed. */
function isOwnPath(location: string): boolean {
  return /^\/(?![/\\])/.test(location);
}

function parse(body: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
