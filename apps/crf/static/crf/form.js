/*
 * The case report form in the browser: fields that don't apply are hidden, unsaved changes are announced, the reason for a
 * change is asked for, and the section in sight is marked. The server decides all of it again; without this script the form still works.
 */

/** @typedef {{variable?: string, one_of?: Array<string|number|boolean>, all?: object[], any?: object[]}} Condition */

const ORDERS = {
  less_than: (a, b) => a < b,
  at_most: (a, b) => a <= b,
  more_than: (a, b) => a > b,
  at_least: (a, b) => a >= b,
};

/** Whether a condition of the data dictionary holds; a comparison with a blank never does. */
export function holds(condition, read) {
  if (condition.all) return condition.all.every((part) => holds(part, read));
  if (condition.any) return condition.any.some((part) => holds(part, read));
  const value = read(condition.variable);
  if (value === "") return false;
  if (condition.one_of) return condition.one_of.some((one) => String(one) === value);
  const [word, operand] = Object.entries(condition).find(([key]) => key in ORDERS) ?? [];
  if (!word) return false;
  const other = typeof operand === "string" ? read(operand) : String(operand);
  if (other === "") return false;
  const numbers = [Number(value), Number(other)];
  return numbers.some(Number.isNaN) ? ORDERS[word](value, other) : ORDERS[word](...numbers);
}

/** Show the fields that apply. Disabled controls are not sent, and count as blank for the fields below. */
function branch(form) {
  for (const field of form.querySelectorAll("[data-show-if]")) {
    if (!field.querySelector("input, select")) continue;
    const data = new FormData(form);
    const shown = holds(JSON.parse(field.dataset.showIf), (name) => String(data.get(name) ?? "").trim());
    field.hidden = !shown;
    for (const control of field.querySelectorAll("input, select")) control.disabled = !shown;
  }
}

/** What a formula of the data dictionary gives; null where a part is blank or can't be read. */
export function compute(formula, read) {
  const names = formula.sum ?? formula.days ?? Object.keys(formula.mean);
  const texts = names.map((name) => read(name));
  if (texts.includes("")) return null;
  if (formula.days) {
    const [from, to] = texts.map((text) => Date.parse(`${text}T00:00:00Z`));
    return Number.isNaN(to - from) ? null : Math.round((to - from) / 86_400_000);
  }
  const weights = formula.sum ? names.map(() => 1) : Object.values(formula.mean);
  const total = texts.reduce((sum, text, index) => sum + weights[index] * Number(text), 0);
  if (Number.isNaN(total)) return null;
  return formula.sum ? total : total / weights.reduce((sum, weight) => sum + weight, 0);
}

/** A number as the platform writes it: to so many decimals, and none of them a closing zero. */
export function rounded(number, decimals) {
  return String(Number(number.toFixed(decimals)));
}

/** Show what follows from other fields; nobody types it where their parts are there. */
function computeFields(form) {
  const data = new FormData(form);
  // A number in another unit is converted by the server; until then what follows from it is not known.
  const read = (name) => (data.get(`unit-${name}`) ? "" : String(data.get(name) ?? "").trim());
  for (const field of form.querySelectorAll("[data-formula]")) {
    const formula = JSON.parse(field.dataset.formula);
    const value = compute(formula, read);
    const text = value === null ? "" : rounded(value, Number(field.dataset.decimals));
    const output = field.querySelector("output.crf-value");
    if (output) {
      output.textContent = text === "" ? "–" : `${text} ${output.dataset.unit}`.trim();
      continue;
    }
    const input = field.querySelector("input");
    if (!input) continue;
    const names = formula.sum ?? formula.days ?? Object.keys(formula.mean);
    const given = names.some((name) => read(name) !== "");
    if (given || input.readOnly) input.value = text;
    input.readOnly = given;
  }
}

/** Say what a number that was measured in another unit will be saved as. */
function convertUnits(form) {
  for (const list of form.querySelectorAll(".crf-unit")) {
    const field = list.closest(".field");
    const number = field.querySelector("input").value.trim();
    const factor = Number(list.selectedOptions[0].dataset.factor);
    const decimals = Number(list.options[0].dataset.decimals);
    const known = factor && number !== "" && !Number.isNaN(Number(number));
    const text = known ? `= ${rounded(Number(number) * factor, decimals)} ${list.options[0].textContent}` : "";
    field.querySelector(".crf-converted").textContent = text;
  }
}

/** What the controls of a field hold: the value, the reason why there is none, and the unit. */
function readField(field) {
  const missing = field.querySelector(".crf-missing");
  const control = field.querySelector("input:checked, input:not([type=radio]), select:not(.crf-missing, .crf-unit)");
  return { value: control?.value ?? "", missing: missing?.value ?? "", unit: field.querySelector(".crf-unit")?.value ?? "" };
}

function writeField(field, { value, missing, unit }) {
  for (const control of field.querySelectorAll("input, select")) {
    if (control.type === "radio") control.checked = control.value === value;
    else if (control.matches(".crf-missing")) control.value = missing;
    else if (control.matches(".crf-unit")) control.value = unit;
    else control.value = value;
  }
}

/** Where two people changed the same field: one press decides, and can be taken back. */
function offerMerge(form) {
  for (const group of form.querySelectorAll(".crf-merge")) {
    const field = group.closest(".field");
    const mine = readField(field);
    for (const button of group.querySelectorAll("[data-take]")) {
      button.addEventListener("click", () => {
        const { take, value, missing } = button.dataset;
        writeField(field, take === "mine" ? mine : { value, missing, unit: "" });
        for (const other of group.querySelectorAll("[data-take]")) other.ariaPressed = String(other === button);
        form.dispatchEvent(new Event("input"));
      });
    }
  }
}

/** A value and a reason why there is none exclude each other: who has entered one is not asked why it is missing. */
function askWhyMissing(form) {
  for (const list of form.querySelectorAll(".crf-missing")) {
    const field = list.closest(".field");
    const answered = [...field.querySelectorAll("input, select:not(.crf-missing, .crf-unit)")].some((control) =>
      control.type === "radio" ? control.checked && control.value !== "" : control.value.trim() !== "",
    );
    if (answered) list.value = "";
    list.hidden = answered;
  }
}

/** Whether a control holds something else than what the page came with. */
export function differs(control) {
  if (control.type === "radio") return control.checked !== control.defaultChecked;
  if (control.options) {
    // A list without a default shows its blank first, which no attribute says.
    const before = [...control.options].find((option) => option.defaultSelected)?.value ?? "";
    return control.value !== before;
  }
  return control.value !== control.defaultValue;
}

/** Ask why only where a value is changed that had been saved before; the server asks in any case. */
function askWhy(form) {
  const reason = form.querySelector("[data-crf-reason]");
  if (!reason) return;
  const show = () => {
    const changed = [...form.querySelectorAll("[data-saved]")].some((field) =>
      [...field.querySelectorAll("input, select")].some(differs),
    );
    reason.hidden = !(changed || "needed" in reason.dataset);
  };
  form.addEventListener("input", show);
  show();
}

/** Send the form to the place where drafts are kept; "signed-out" where the session has ended. */
async function keep(form, leaving) {
  const options = { method: "POST", body: new FormData(form), redirect: "manual", keepalive: leaving };
  const answer = await fetch(form.dataset.draftUrl, options).catch(() => null);
  if (answer?.type === "opaqueredirect") return { state: "signed-out" };
  // Who signs in again has a new token.
  if (answer?.status === 403 && !leaving) return { state: (await renewToken(form)) ? "again" : "signed-out" };
  if (!answer?.ok) return { state: "not-kept" };
  return { state: "kept", at: (await answer.json()).kept_at };
}

async function renewToken(form) {
  const answer = await fetch(location.href, { redirect: "manual" }).catch(() => null);
  if (!answer?.ok) return false;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const token = page.querySelector("[data-crf-form] [name=csrfmiddlewaretoken]");
  if (token) form.elements.csrfmiddlewaretoken.value = token.value;
  return token !== null;
}

const KEEP_AFTER = 1000;
const TRY_AGAIN_AFTER = 5000;

/** Say what is not saved, and keep it as a draft while it is typed. */
function guard(form) {
  const state = form.querySelector("[data-unsaved-text]");
  let unsaved = "unsaved" in form.dataset;
  let timer = null;
  let last = { state: "" };
  const text = () => {
    if (!unsaved) return "";
    const words = { kept: "keptText", "signed-out": "signedOutText", "not-kept": "notKeptText" }[last.state];
    return state.dataset[words ?? "unsavedText"].replace("{time}", last.at ?? "");
  };
  const show = () => {
    if (state && state.textContent !== text()) state.textContent = text();
  };
  const store = async () => {
    timer = null;
    last = await keep(form, false);
    if (last.state === "again") last = await keep(form, false);
    // Nothing differs from what is stored any more.
    if (last.state === "kept" && !last.at) unsaved = false;
    if (last.state !== "kept") timer = setTimeout(store, TRY_AGAIN_AFTER);
    show();
    return last.state;
  };
  form.addEventListener("input", () => {
    unsaved = true;
    show();
    clearTimeout(timer);
    if (form.dataset.draftUrl) timer = setTimeout(store, KEEP_AFTER);
  });
  form.addEventListener("submit", async (event) => {
    if (last.state !== "signed-out") {
      clearTimeout(timer);
      timer = null;
      unsaved = false;
      return;
    }
    // The answer to a form that is sent without a session is the page for signing in, and the fields would be gone.
    event.preventDefault();
    if ((await store()) === "kept") form.requestSubmit();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden" && timer !== null && last.state !== "signed-out") keep(form, true);
  });
  for (const button of document.querySelectorAll("[data-discard]")) {
    button.addEventListener("click", () => {
      unsaved = false;
    });
  }
  window.addEventListener("beforeunload", (event) => {
    if (unsaved) event.preventDefault();
  });
  show();
}

function followSections() {
  const links = new Map(
    [...document.querySelectorAll("[data-section-link]")].map((link) => [link.hash.slice(1), link]),
  );
  const observer = new IntersectionObserver(
    (entries) => {
      const entered = entries.find((entry) => entry.isIntersecting);
      if (!entered) return;
      for (const link of links.values()) link.removeAttribute("aria-current");
      const link = links.get(entered.target.id);
      link?.setAttribute("aria-current", "true");
      // On a phone the list is a strip that scrolls sideways.
      const strip = link?.closest("ol");
      strip?.scrollTo({ left: link.offsetLeft - 16, behavior: "smooth" });
    },
    { rootMargin: "-15% 0px -75% 0px" },
  );
  for (const id of links.keys()) {
    const section = document.getElementById(id);
    if (section) observer.observe(section);
  }
}

function start() {
  const form = document.querySelector("[data-crf-form]");
  if (!form) return;
  const follow = () => {
    branch(form);
    computeFields(form);
    convertUnits(form);
    askWhyMissing(form);
  };
  follow();
  form.addEventListener("input", follow);
  askWhy(form);
  guard(form);
  offerMerge(form);
  followSections();
  document.querySelector("[data-focus]")?.focus();
}

if (typeof document !== "undefined") start();
