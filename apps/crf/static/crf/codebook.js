/*
 * The codebook in the browser: a search that hides what does not match, and the running head of its printed pages.
 * Without this script the page still shows and prints everything.
 */

/** The words of a search, as they are compared. A name with its underscores is one of them. */
export function wordsOf(text) {
  return text.split(/\s+/).filter(Boolean).map(fold);
}

/** A text without case, accents and the signs that a name joins its words by. */
export function fold(text) {
  return text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replaceAll("_", " ");
}

/** Whether a text holds every word. */
export function matches(text, words) {
  return words.every((word) => text.includes(word));
}

function startSearch(root) {
  const box = root.querySelector("[data-codebook-search]");
  const input = box.querySelector("input");
  const found = box.querySelector("[data-found]");
  const entries = [...root.querySelectorAll("[data-codebook-entry]")].map((row) => ({ row, text: fold(row.textContent) }));
  const isVariable = ({ row }) => !("codebookCheck" in row.dataset);
  const total = entries.filter(isVariable).length;

  function show() {
    const words = wordsOf(input.value);
    for (const { row, text } of entries) row.hidden = !matches(text, words);
    for (const section of root.querySelectorAll("[data-codebook-section]"))
      section.hidden = !section.querySelector("[data-codebook-entry]:not([hidden])");
    const count = entries.filter((entry) => isVariable(entry) && !entry.row.hidden).length;
    found.textContent = words.length ? found.dataset.found.replace("{n}", count).replace("{m}", total) : "";
    root.querySelector("[data-codebook-nothing]").hidden = entries.some(({ row }) => !row.hidden);
  }

  // A link to a variable that the search hides would lead nowhere.
  root.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    const target = link && document.getElementById(link.hash.slice(1));
    if (!target?.hidden) return;
    input.value = "";
    show();
  });
  input.addEventListener("input", show);
  box.hidden = false;
  show(); // a browser that goes back fills the field in again
}

/** Name the study, the dictionary and the day at the head of each printed page, where the browser has heads of pages. */
function startPrintHead(root) {
  document.documentElement.style.setProperty("--codebook-head", JSON.stringify(root.dataset.printHead));
}

if (typeof document !== "undefined") {
  const root = document.querySelector("[data-codebook]");
  if (root) {
    startSearch(root);
    startPrintHead(root);
  }
}
