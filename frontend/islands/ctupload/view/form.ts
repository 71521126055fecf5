import { part } from "../../mount";
import { fill, megabytes } from "../../text";
import { usable } from "../../upload/core/selection";
import { listenForDrops } from "../../upload/view/drops";
import { visit } from "../../upload/view/visit";
import type { Ending } from "../core/sender";
import { type State, tally } from "../core/tally";
import { postTo } from "./post";
import { Queue } from "./queue";
import { showFiles, showProgress, showSummary, wordOf } from "./show";

const ARRIVED = new Set<State>(["stored", "known", "held"]);
const DRAWN_EVERY = 200;
// A screen reader that is told each file would never fall silent.
const TOLD_EVERY = 10_000;

/** The form of partials/ctupload.html. Without this script it is a plain form with the same field and address. */
export class CtUploadForm {
  private readonly queue: Queue;
  private sending = false;
  private drawing: ReturnType<typeof setTimeout> | null = null;
  private told = 0;

  constructor(private readonly form: HTMLFormElement) {
    const token = form.querySelector<HTMLInputElement>("input[name=csrfmiddlewaretoken]")?.value ?? "";
    const alarms = {
      lost: (status: number) => this.lost(status),
      found: () => this.say("alarm", ""),
      asked: (sentence: string) => this.ask(sentence),
    };
    const words = (code: string) => wordOf(form, code);
    this.queue = new Queue(postTo(form.action, token), words, alarms, () => this.drawSoon());
    form.classList.add("is-enhanced");
    // Dropped files are not in the field that the browser would ask to be filled.
    form.noValidate = true;
    this.forget();
    this.listen();
  }

  private listen(): void {
    for (const name of ["files", "folder"]) {
      const picker = part<HTMLInputElement>(this.form, name);
      picker.addEventListener("change", () => this.choose(picker.files ?? []));
    }
    listenForDrops(
      part(this.form, "drop"),
      (files) => this.choose(files),
      () => this.say("refusal", wordOf(this.form, "drop_failed")),
    );
    part(this.form, "cancel").addEventListener("click", () => this.queue.stop());
    part(this.form, "refuse").addEventListener("click", () => this.queue.stop());
    part(this.form, "confirm").addEventListener("click", () => this.answer());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!this.sending) this.send();
    });
    const show = part<HTMLButtonElement>(this.form, "show");
    show.addEventListener("click", () => visit(show.value));
  }

  private async choose(files: Iterable<File>): Promise<void> {
    if (this.sending) return;
    const send = part<HTMLButtonElement>(this.form, "send");
    send.disabled = true;
    await this.queue.replace(usable(files));
    const { total, totalBytes } = tally(this.queue.files);
    const sentence = ["nothing", "one"][total] ?? "chosen";
    const values = { n: total, size: megabytes(totalBytes) };
    part(this.form, "chosen").textContent = fill(wordOf(this.form, sentence), values);
    send.disabled = total === 0;
    part(this.form, "summary").hidden = true;
    part(this.form, "list").hidden = total === 0;
    this.form.toggleAttribute("data-unsent", total > 0);
    this.say("refusal", "");
  }

  private async send(): Promise<void> {
    if (this.queue.files.length === 0) return;
    this.work(true);
    part(this.form, "sending").focus();
    let ending: Ending | null = null;
    try {
      ending = await this.queue.send();
    } finally {
      this.work(false);
    }
    if (ending) this.conclude(ending);
  }

  /** While files are on their way, leaving the page asks, and nothing else can be chosen. */
  private work(on: boolean): void {
    this.sending = on;
    if (on) window.addEventListener("beforeunload", askBeforeLeaving);
    else window.removeEventListener("beforeunload", askBeforeLeaving);
    part(this.form, "drop").hidden = on;
    part(this.form, "send").hidden = on;
    part(this.form, "sending").hidden = !on;
    part(this.form, "summary").hidden = true;
    part(this.form, "question").hidden = true;
    this.say("alarm", "");
    this.say("refusal", "");
    this.draw();
  }

  private conclude({ kind, sentence, location }: Ending): void {
    const files = this.queue.files;
    const result = tally(files);
    const values = { n: result.done, total: result.total };
    const title = kind === "complete" ? "complete" : "stopped";
    showSummary(this.form, fill(wordOf(this.form, title), values), result);
    const show = part<HTMLButtonElement>(this.form, "show");
    show.value = location;
    show.hidden = location === "" || !files.some(({ state }) => ARRIVED.has(state));
    part(this.form, "summary").hidden = false;
    part(this.form, "summary-title").focus();
    this.say("refusal", sentence);
    this.forget();
  }

  /** The next upload is chosen anew; without this, choosing the same files again would be no change. */
  private forget(): void {
    for (const name of ["files", "folder"]) part<HTMLInputElement>(this.form, name).value = "";
    part(this.form, "chosen").textContent = "";
    part<HTMLButtonElement>(this.form, "send").disabled = true;
  }

  private lost(status: number): void {
    const { done, total } = tally(this.queue.files);
    const sentence = wordOf(this.form, status === 0 ? "lost" : "busy");
    this.say("alarm", fill(sentence, { n: done, total, status }));
  }

  private ask(sentence: string): void {
    const question = part(this.form, "question");
    part(question, "question-text").textContent = sentence;
    question.hidden = false;
    part(question, "question-text").focus();
  }

  private answer(): void {
    part(this.form, "question").hidden = true;
    part(this.form, "sending").focus();
    this.queue.confirm();
  }

  private say(name: "alarm" | "refusal", sentence: string): void {
    const place = part(this.form, name);
    part(place, `${name}-text`).textContent = sentence;
    place.hidden = sentence === "";
  }

  private drawSoon(): void {
    this.drawing ??= setTimeout(() => this.draw(), DRAWN_EVERY);
  }

  private draw(): void {
    if (this.drawing !== null) clearTimeout(this.drawing);
    this.drawing = null;
    const files = this.queue.files;
    showFiles(this.form, files);
    const sentence = showProgress(this.form, files);
    if (!this.sending || performance.now() - this.told < TOLD_EVERY) return;
    this.told = performance.now();
    part(this.form, "told").textContent = sentence;
  }
}

function askBeforeLeaving(event: BeforeUnloadEvent): void {
  event.preventDefault();
}
