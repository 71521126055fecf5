/** Position of the slice with most of the map, the first of several; of an empty map the middle one. */
export function mostMarked(shares: readonly number[]): number {
  const most = Math.max(0, ...shares);
  return most > 0 ? shares.indexOf(most) : Math.max(0, Math.floor((shares.length - 1) / 2));
}

/** A share as percent: whole above 10, one digit below. */
export function percentOf(share: number): string {
  const percent = 100 * share;
  return percent > 0 && percent < 9.95 ? percent.toFixed(1) : percent.toFixed(0);
}
