/* The worklist of queries: tick all, and say how many are ticked. Without this script each is ticked by itself. */

function boxes(form) {
  return [...form.querySelectorAll("input[name=queries]")];
}

function say(form) {
  const count = form.querySelector("[data-bulk-count]");
  if (!count) return;
  const ticked = boxes(form).filter((box) => box.checked).length;
  count.textContent = ticked ? `${count.dataset.some} ${ticked}` : count.dataset.none;
}

document.addEventListener("change", (event) => {
  const form = event.target.closest("[data-bulk]");
  if (!form) return;
  if (event.target.matches("[data-bulk-all]")) {
    for (const box of boxes(form)) box.checked = event.target.checked;
  }
  say(form);
});
