/** Run `start` once for each element of an island, those that htmx brings in later included. */
export function mountIslands(name: string, start: (root: HTMLElement) => void): void {
  const started = new WeakSet<HTMLElement>();
  const mount = (scope: ParentNode) => {
    for (const root of scope.querySelectorAll<HTMLElement>(`[data-island="${name}"]`)) {
      if (started.has(root)) continue;
      started.add(root);
      start(root);
    }
  };
  mount(document);
  document.addEventListener("htmx:load", () => mount(document));
}

/** The element of an island that its server-rendered markup marks with `data-part`. */
export function part<T extends HTMLElement = HTMLElement>(root: ParentNode, name: string): T {
  const found = root.querySelector<T>(`[data-part="${name}"]`);
  if (!found) throw new Error(`This island's markup lacks data-part="${name}"; include its partial template.`);
  return found;
}

/** The JSON that Django's json_script wrote under an id, or null where there is none. */
export function readJson(id: string | undefined): unknown {
  const text = id ? document.getElementById(id)?.textContent : null;
  return text ? JSON.parse(text) : null;
}
