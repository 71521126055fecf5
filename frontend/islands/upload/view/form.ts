import { part } from "../../mount";
import { fill, megabytes } from "../../text";
import { readAnswer } from "../core/answer";
import { neutralName, totalBytes, usable } from "../core/selection";
import { listenForDrops } from "./drops";
import { visit } from "./visit";

/** The form of partials/upload.html. Without this script it is a plain form with the same field and address. */
export class UploadForm {
  private readonly picker: HTMLInputElement;
  private files: File[] = [];
  private request: XMLHttpRequest | null = null;

  constructor(private readonly form: HTMLFormElement) {
    this.picker = part<HTMLInputElement>(form, "files");
    form.classList.add("is-enhanced");
    // What was dropped does not fill the picker, whose "required" is for a browser without script.
    form.noValidate = true;
    this.picker.addEventListener("change", () => this.choose(this.picker.files ?? []));
    const folder = form.querySelector<HTMLInputElement>('[data-part="folder"]');
    folder?.addEventListener("change", () => this.choose(folder.files ?? []));
    listenForDrops(
      part(form, "drop"),
      (files) => {
        if (!this.request) this.choose(files);
      },
      () => this.refuse(this.form.dataset.textUnreadable ?? ""),
    );
    part(form, "cancel").addEventListener("click", () => this.request?.abort());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
  }

  private choose(files: Iterable<File>): void {
    this.files = usable(files).slice(0, this.picker.multiple ? undefined : 1);
    const sentence = ["textNothing", "textOne"][this.files.length] ?? "textChosen";
    const values = { n: this.files.length, size: megabytes(totalBytes(this.files)) };
    part(this.form, "chosen").textContent = fill(this.form.dataset[sentence] ?? "", values);
    part<HTMLButtonElement>(this.form, "send").disabled = this.files.length === 0;
    this.form.toggleAttribute("data-unsent", this.files.length > 0);
    this.refuse("");
  }

  private body(): FormData {
    const body = new FormData();
    for (const field of this.form.querySelectorAll<HTMLInputElement>("input[type=hidden]")) {
      body.append(field.name, field.value);
    }
    for (const [position, file] of this.files.entries()) {
      body.append(this.picker.name, file, neutralName(file.name, position));
    }
    return body;
  }

  private send(): void {
    if (this.files.length === 0 || this.request) return;
    const request = new XMLHttpRequest();
    this.request = request;
    request.open("POST", this.form.action);
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", (event) => this.progress(event.loaded, event.total));
    request.addEventListener("load", () => this.answered(request));
    request.addEventListener("error", () => this.refuse(this.form.dataset.textNetwork ?? ""));
    request.addEventListener("loadend", () => this.finish());
    this.refuse("");
    part(this.form, "sending").hidden = false;
    part<HTMLButtonElement>(this.form, "send").disabled = true;
    request.send(this.body());
  }

  private progress(sent: number, total: number): void {
    const bar = part<HTMLProgressElement>(this.form, "progress");
    bar.max = total;
    bar.value = sent;
    const sentence = sent < total ? "textSending" : "textChecking";
    const values = { sent: megabytes(sent), size: megabytes(total) };
    part(this.form, "sent").textContent = fill(this.form.dataset[sentence] ?? "", values);
  }

  private answered(request: XMLHttpRequest): void {
    const answer = readAnswer(request.status, request.responseText);
    if (answer.kind === "go") visit(answer.location);
    else if (answer.kind === "refused") this.refuse(answer.sentence, answer.figure);
    else this.refuse(fill(this.form.dataset.textServer ?? "", { status: request.status }));
  }

  private finish(): void {
    this.request = null;
    part(this.form, "sending").hidden = true;
    part<HTMLButtonElement>(this.form, "send").disabled = this.files.length === 0;
  }

  /** Show why it was refused; `figure` is HTML that this server's template made. */
  private refuse(sentence: string, figure = ""): void {
    const alert = part(this.form, "refusal");
    part(alert, "refusal-text").textContent = sentence;
    part(this.form, "refusal-figure").innerHTML = figure;
    alert.hidden = sentence === "";
    if (sentence !== "") alert.scrollIntoView({ block: "nearest" });
  }
}
