import { part } from "../../mount";
import { fill, megabytes } from "../../text";
import { foremost, type Shown, type State, type Tally, tally } from "../core/tally";

const ROWS = 100;

/** The page's word for a state: data-text-left-out for "left_out". */
export function wordOf(root: HTMLElement, code: string): string {
  return root.dataset[`text${code.replace(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase())}`] ?? "";
}

function mark(root: HTMLElement, state: State, file?: Shown): HTMLElement {
  const element = document.createElement("span");
  element.className = "ctupload-state";
  element.dataset.state = state;
  element.textContent = fill(wordOf(root, state), { percent: Math.floor(100 * (file?.fraction ?? 0)) });
  return element;
}

function row(root: HTMLElement, file: Shown): HTMLElement {
  const element = document.createElement("li");
  const name = document.createElement("span");
  name.className = "ctupload-name";
  name.textContent = file.name;
  element.append(name, mark(root, file.state, file));
  if (file.sentence) {
    const sentence = document.createElement("span");
    sentence.className = "ctupload-why";
    sentence.textContent = file.sentence;
    element.append(sentence);
  }
  return element;
}

/** The files that matter most, and how many others there are: a list of 10,000 would freeze the page. */
export function showFiles(root: HTMLElement, files: readonly Shown[]): void {
  const { shown, rest } = foremost(files, ROWS);
  part(root, "files-list").replaceChildren(...shown.map((file) => row(root, file)));
  const more = part(root, "rest");
  more.textContent = fill(wordOf(root, "rest"), { n: rest });
  more.hidden = rest === 0;
}

/** Where it stands; returns what it says. */
export function showProgress(root: HTMLElement, files: readonly Shown[]): string {
  const { done, total, sentBytes, totalBytes } = tally(files);
  const bar = part<HTMLProgressElement>(root, "progress");
  bar.max = Math.max(1, totalBytes);
  bar.value = sentBytes;
  const values = { n: done, total, sent: megabytes(sentBytes), size: megabytes(totalBytes) };
  const sentence = fill(wordOf(root, "progress"), values);
  part(root, "sent").textContent = sentence;
  return sentence;
}

function item(...content: (string | Node)[]): HTMLElement {
  const element = document.createElement("li");
  element.append(...content);
  return element;
}

/** What became of the files: a title, how many of each outcome, and each reason once. */
export function showSummary(root: HTMLElement, title: string, { counts, reasons }: Tally): void {
  part(root, "summary-title").textContent = title;
  part(root, "counts").replaceChildren(...counts.map(([state, count]) => item(mark(root, state), ` ${count}`)));
  part(root, "reasons").replaceChildren(...reasons.map(([sentence, count]) => item(`${count} × ${sentence}`)));
}
