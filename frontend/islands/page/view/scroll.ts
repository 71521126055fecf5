/** Tables and figures wider than the window scroll in their own box; such a box must be reachable by keyboard. */
export function startScrollBoxes(): void {
  const observer = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const box = target.closest(".table-holder, .figure-holder");
      if (!box) continue;
      if (box.scrollWidth > box.clientWidth) box.setAttribute("tabindex", "0");
      else box.removeAttribute("tabindex");
    }
  });
  const watch = () => {
    for (const box of document.querySelectorAll(".table-holder, .figure-holder")) {
      observer.observe(box);
      if (box.firstElementChild) observer.observe(box.firstElementChild);
    }
  };
  watch();
  document.addEventListener("htmx:load", watch);
}
