import { type FieldState, isChanged } from "../core/unsent";

function holdsUnsentWork(): boolean {
  if (document.querySelector("[data-unsent], dialog[open]")) return true;
  const fields = document.querySelectorAll<HTMLElement & FieldState>(
    "main form[method=post] :is(input, textarea, select)",
  );
  return [...fields].some(isChanged);
}

/** A task that ended has changed the page: load it anew, unless that would take away what somebody is doing on it. */
export function startRefresh(): void {
  document.addEventListener("job-ended", () => {
    if (!holdsUnsentWork()) location.reload();
  });
}
