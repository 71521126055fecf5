/** Open an address; one that differs from this page by its anchor alone is loaded anew, for what the upload changed. */
export function visit(address: string): void {
  const next = new URL(address, location.href);
  const samePage = next.pathname === location.pathname && next.search === location.search;
  location.assign(address);
  if (samePage && next.hash) location.reload();
}
