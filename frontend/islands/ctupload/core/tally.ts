import { totalBytes } from "../../upload/core/selection";
import type { Outcome } from "./reply";

export type State = "waiting" | "sending" | Outcome;

/** A file as the page shows it. Its name is the local one: it is shown here and travels nowhere. */
export interface Shown {
  name: string;
  size: number;
  state: State;
  /** How much of it is sent, 0 to 1. */
  fraction: number;
  sentence: string;
}

export interface Tally {
  done: number;
  total: number;
  sentBytes: number;
  totalBytes: number;
  /** Files by state, the states of `ORDER` that occur. */
  counts: [State, number][];
  /** Each reason why a file was not stored, once, the most frequent first. */
  reasons: [string, number][];
}

/** What a person must look at comes first. */
export const ORDER: readonly State[] = ["refused", "held", "left_out", "sending", "waiting", "known", "stored"];

const isOpen = (file: Shown) => file.state === "waiting" || file.state === "sending";

export function tally(files: readonly Shown[]): Tally {
  const counts = new Map<State, number>();
  const reasons = new Map<string, number>();
  let sent = 0;
  for (const file of files) {
    counts.set(file.state, (counts.get(file.state) ?? 0) + 1);
    if (!isOpen(file) && file.sentence) reasons.set(file.sentence, (reasons.get(file.sentence) ?? 0) + 1);
    sent += isOpen(file) ? file.fraction * file.size : file.size;
  }
  return {
    done: files.length - (counts.get("waiting") ?? 0) - (counts.get("sending") ?? 0),
    total: files.length,
    sentBytes: sent,
    totalBytes: totalBytes(files),
    counts: ORDER.filter((state) => counts.has(state)).map((state) => [state, counts.get(state) ?? 0]),
    reasons: [...reasons].sort((a, b) => b[1] - a[1]),
  };
}

/** The `limit` files that matter most, trouble first, else in their order; and how many are not among them. */
export function foremost(files: readonly Shown[], limit: number): { shown: Shown[]; rest: number } {
  const byState = new Map<State, Shown[]>(ORDER.map((state) => [state, []]));
  for (const file of files) {
    const alike = byState.get(file.state);
    if (alike && alike.length < limit) alike.push(file);
  }
  const shown = [...byState.values()].flat().slice(0, limit);
  return { shown, rest: files.length - shown.length };
}
