interface ConfirmRequest {
  question: string | null;
  issueRequest: (skip: boolean) => void;
}

function ask(question: string, then: () => void): void {
  const dialog = document.getElementById("confirm-dialog") as HTMLDialogElement | null;
  if (!dialog) {
    if (window.confirm(question)) then();
    return;
  }
  const text = dialog.querySelector("[data-part=question]");
  if (text) text.textContent = question;
  dialog.returnValue = "";
  dialog.addEventListener("close", () => dialog.returnValue === "yes" && then(), { once: true });
  dialog.showModal();
}

/** Forms and their buttons with data-confirm="question?", and htmx's hx-confirm, ask in the page's own dialog. */
export function startConfirm(): void {
  const agreed = new WeakSet<HTMLFormElement>();
  document.addEventListener(
    "submit",
    (event) => {
      const form = event.target as HTMLFormElement;
      const button = event.submitter;
      const question = button?.dataset.confirm ?? form.dataset.confirm;
      if (!question || agreed.delete(form)) return;
      event.preventDefault();
      // Stop here, or htmx, which listens further down the line, would send the form unasked.
      event.stopImmediatePropagation();
      ask(question, () => {
        agreed.add(form);
        form.requestSubmit(button);
      });
    },
    true,
  );
  document.addEventListener("htmx:confirm", (event) => {
    const { question, issueRequest } = (event as CustomEvent<ConfirmRequest>).detail;
    if (!question) return;
    event.preventDefault();
    ask(question, () => issueRequest(true));
  });
}
