import htmx from "htmx.org";
import { isWholePage } from "../core/toast";
import { showToast } from "./toast";

interface SwapDetail {
  xhr: XMLHttpRequest;
  shouldSwap: boolean;
}

/** htmx under a strict content security policy, and with nothing of a patient kept in the browser's storage. */
export function startHtmx(): void {
  htmx.config.allowEval = false;
  htmx.config.includeIndicatorStyles = false;
  htmx.config.historyCacheSize = 0;
  htmx.config.refreshOnHistoryMiss = true;
  htmx.config.responseHandling = [
    { code: "204", swap: false },
    { code: "[23]..", swap: true },
    // A refusal is a sentence: it goes above the content and leaves the rest of the page as it was.
    { code: "4..", swap: true, error: true, target: "#problems", swapOverride: "innerHTML show:window:top" },
    { code: "...", swap: false, error: true },
  ];
  const say = (name: "server" | "network") => {
    const text = document.body.dataset[name === "server" ? "textServerError" : "textNetworkError"];
    if (text) showToast({ level: "danger", text });
  };
  document.addEventListener("htmx:beforeSwap", (event) => {
    const detail = (event as CustomEvent<SwapDetail>).detail;
    if (detail.xhr.status >= 400 && detail.shouldSwap && isWholePage(detail.xhr.responseText)) {
      detail.shouldSwap = false;
      say("server");
    }
  });
  document.addEventListener("htmx:responseError", (event) => {
    if ((event as CustomEvent<SwapDetail>).detail.xhr.status >= 500) say("server");
  });
  document.addEventListener("htmx:sendError", () => say("network"));
}
