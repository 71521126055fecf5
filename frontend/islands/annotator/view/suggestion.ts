import { unpack } from "./packing";

/** ms between two questions whether a worker has made it, and until one gives up. */
const WAIT = 300;
const LONGEST = 60_000;

export type Suggested = Uint8Array | { refused: string };

/** The outline that the server proposes, labels in the order (z, y, x); waits while it is being made. */
export async function suggested(url: string, token: string): Promise<Suggested> {
  const end = performance.now() + LONGEST;
  for (let again = "1"; performance.now() < end; again = "0") {
    const headers = { "X-CSRFToken": token, Accept: "application/octet-stream, application/json" };
    const answer = await fetch(url, { method: "POST", body: new URLSearchParams({ again }), headers });
    if (answer.status === 200) return unpack(await answer.blob());
    if (answer.status !== 202) return { refused: await sentenceOf(answer) };
    await new Promise((resolve) => setTimeout(resolve, WAIT));
  }
  return { refused: "" };
}

async function sentenceOf(answer: Response): Promise<string> {
  try {
    return ((await answer.json()) as { detail?: string }).detail ?? "";
  } catch {
    return "";
  }
}
