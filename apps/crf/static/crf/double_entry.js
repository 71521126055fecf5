/* Reconciling by keyboard: 1 to 4 chooses in the row that has the focus, and the next row follows. Without this script
 * the radio buttons still work. */

const KEYS = { 1: "first", 2: "second", 3: "other", 4: "missing" };
// Where the choice goes on in a field of its own.
const FIELDS = { other: "[name^=other-]", missing: "[name^=why-]" };

function choose(pair, kept, pairs) {
  const radio = pair.querySelector(`input[type=radio][value=${kept}]`);
  radio.checked = true;
  radio.focus();
  if (kept in FIELDS) {
    pair.querySelector(FIELDS[kept]).focus();
    return;
  }
  const following = pairs[pairs.indexOf(pair) + 1];
  (following ? following.querySelector("input[type=radio]") : document.querySelector("[data-reconcile] [type=submit]")).focus();
}

function start(form) {
  const pairs = [...form.querySelectorAll("[data-pair]:not([disabled])")];
  for (const pair of pairs) {
    pair.addEventListener("keydown", (event) => {
      const typing = event.target.matches("[name^=other-], [name^=why-]");
      if (typing || event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
      event.preventDefault();
      choose(pair, KEYS[event.key], pairs);
    });
    // Who types another value, or says why there is none, has chosen it.
    for (const [kept, field] of Object.entries(FIELDS)) {
      pair.querySelector(field).addEventListener("input", () => {
        pair.querySelector(`input[type=radio][value=${kept}]`).checked = true;
      });
    }
  }
  pairs[0]?.querySelector("input[type=radio]").focus();
}

const form = document.querySelector("[data-reconcile]");
if (form) start(form);
