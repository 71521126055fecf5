/* Reconciling by keyboard: 1, 2 or 3 chooses in the row that has the focus, and the next row follows. Without this script
 * the radio buttons still work. */

const KEYS = { 1: "first", 2: "second", 3: "other" };

function choose(pair, kept, pairs) {
  const radio = pair.querySelector(`input[type=radio][value=${kept}]`);
  radio.checked = true;
  radio.focus();
  if (kept === "other") {
    pair.querySelector("[name^=other-]").focus();
    return;
  }
  const following = pairs[pairs.indexOf(pair) + 1];
  (following ? following.querySelector("input[type=radio]") : document.querySelector("[data-reconcile] [type=submit]")).focus();
}

function start(form) {
  const pairs = [...form.querySelectorAll("[data-pair]:not([disabled])")];
  for (const pair of pairs) {
    pair.addEventListener("keydown", (event) => {
      const typing = event.target.matches("[name^=other-]");
      if (typing || event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
      event.preventDefault();
      choose(pair, KEYS[event.key], pairs);
    });
    // Who types another value has chosen it.
    pair.querySelector("[name^=other-]").addEventListener("input", () => {
      pair.querySelector("input[value=other]").checked = true;
    });
  }
  pairs[0]?.querySelector("input[type=radio]").focus();
}

const form = document.querySelector("[data-reconcile]");
if (form) start(form);
