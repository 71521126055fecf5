import { readAnswer } from "../../upload/core/answer";

/** What came back for a part; status 0 says that nothing did. */
export interface Reply {
  status: number;
  body: string;
}

export type Outcome = "stored" | "known" | "held" | "left_out" | "refused";

export interface Verdict {
  outcome: Outcome;
  sentence: string;
}

export type Meaning =
  | { kind: "taken"; location: string; verdicts: (Verdict | undefined)[] }
  | { kind: "again" }
  | { kind: "too_large"; sentence: string }
  | { kind: "other_person"; sentence: string }
  | { kind: "refused"; sentence: string };

// The worst comes last: a file that holds several pictures is shown by what went worst with it.
const SEVERITY: readonly Outcome[] = ["stored", "known", "left_out", "held", "refused"];
// Too slow and too many are passing states of a server, unlike every other 4xx.
const PASSING = new Set([0, 408, 429]);

/** Say what a reply means for the part of `count` files that it answers. */
export function meaningOf({ status, body }: Reply, count: number): Meaning {
  if (PASSING.has(status) || status >= 500) return { kind: "again" };
  const answer = readAnswer(status, body);
  if (answer.kind === "go") {
    const verdicts = verdictsOf(body, count);
    return verdicts ? { kind: "taken", location: answer.location, verdicts } : { kind: "refused", sentence: "" };
  }
  const sentence = answer.kind === "refused" ? answer.sentence : "";
  if (status === 413) return { kind: "too_large", sentence };
  if (sentence && JSON.parse(body).code === "other_person") return { kind: "other_person", sentence };
  return { kind: "refused", sentence };
}

/** The outcome of each file, by its place; none for a file that the server passed over. Null for another document. */
function verdictsOf(body: string, count: number): (Verdict | undefined)[] | null {
  const { outcomes } = JSON.parse(body);
  if (!Array.isArray(outcomes)) return null;
  const verdicts = new Array<Verdict | undefined>(count).fill(undefined);
  for (const outcome of outcomes) {
    const { number, status, sentence } = outcome ?? {};
    if (!SEVERITY.includes(status) || !(number >= 1 && number <= count)) return null;
    const earlier = verdicts[number - 1];
    if (earlier && SEVERITY.indexOf(earlier.outcome) >= SEVERITY.indexOf(status)) continue;
    verdicts[number - 1] = { outcome: status, sentence: typeof sentence === "string" ? sentence : "" };
  }
  return verdicts;
}
