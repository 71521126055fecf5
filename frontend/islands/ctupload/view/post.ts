import { neutralName } from "../../upload/core/selection";
import type { Reply } from "../core/reply";
import type { Part, Post } from "../core/sender";

// A connection that died without a word: no byte goes out and no answer comes in.
const SILENCE = 120_000;

/** What travels of a part: bytes under neutral names, and what the server must know. */
export function bodyOf({ files, more, confirmed }: Part): FormData {
  const body = new FormData();
  body.append("more", more ? "1" : "0");
  if (confirmed) body.append("confirmed", "1");
  for (const [position, file] of files.entries()) body.append("files", file, neutralName("", position));
  return body;
}

/** Carries parts to the address of a form; `fetch` cannot tell how much of a body has left. */
export function postTo(address: string, token: string): Post {
  return (part, progress, signal) =>
    new Promise<Reply>((resolve) => {
      const request = new XMLHttpRequest();
      const abort = () => request.abort();
      let watch = setTimeout(abort, SILENCE);
      const alive = () => {
        clearTimeout(watch);
        watch = setTimeout(abort, SILENCE);
      };
      request.open("POST", address);
      request.setRequestHeader("Accept", "application/json");
      request.setRequestHeader("X-CSRFToken", token);
      request.upload.addEventListener("progress", (event) => {
        alive();
        progress(event.total > 0 ? event.loaded / event.total : 0);
      });
      request.addEventListener("loadend", () => {
        clearTimeout(watch);
        signal.removeEventListener("abort", abort);
        resolve({ status: request.status, body: request.responseText });
      });
      signal.addEventListener("abort", abort);
      request.send(bodyOf(part));
    });
}
