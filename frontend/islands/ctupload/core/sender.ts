import { halves, type Item, partsOf } from "./parts";
import { meaningOf, type Outcome, type Reply, type Verdict } from "./reply";

export interface Part {
  files: Blob[];
  more: boolean;
  confirmed: boolean;
}

/** Carries one part to the server; it never rejects: no connection is a reply with the status 0. */
export type Post = (part: Part, progress: (fraction: number) => void, signal: AbortSignal) => Promise<Reply>;

export interface Ending {
  kind: "complete" | "stopped" | "refused";
  sentence: string;
  /** Where the CT is shown; empty where nothing was answered yet. */
  location: string;
}

export interface Result {
  item: Item;
  outcome: Outcome;
  sentence: string;
}

/** What a sender reports while it works. */
export interface Watcher {
  waiting(items: readonly Item[]): void;
  sending(items: readonly Item[], fraction: number): void;
  settled(results: readonly Result[]): void;
  /** The connection is lost (status 0), or the server fails; it is tried again by itself. */
  lost(status: number): void;
  found(): void;
  /** The scan may be another person's: `confirm` or `stop` is the answer. */
  asked(sentence: string): void;
}

/** The page's sentence for what is found in the browser, by its code. */
export type Words = (code: string) => string;

const AT_ONCE = 2;
const FIRST_DELAY = 1000;
const LONGEST_DELAY = 30_000;

/**
 * Sends a queue in parts: two at once, the last one (`more=0`, which starts the preprocessing) after all others are
 * answered. A part that got no answer is sent again; the server knows what it has.
 */
export class Sender {
  private readonly parts: Item[][];
  private readonly abort = new AbortController();
  private readonly answered = new Set<Item>();
  private readonly end: Promise<Ending>;
  private finish: (ending: Ending) => void = () => {};
  private taken: Item | null = null;
  private active = 0;
  private confirmed = false;
  private asking = false;
  private closed = false;
  private repeated = false;
  private location = "";
  private delay = FIRST_DELAY;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private broken = false;

  constructor(
    items: readonly Item[],
    private readonly post: Post,
    private readonly watcher: Watcher,
    private readonly words: Words,
  ) {
    this.parts = partsOf(items);
    this.end = new Promise((resolve) => {
      this.finish = resolve;
    });
  }

  run(): Promise<Ending> {
    this.pump();
    return this.end;
  }

  /** The network is back: don't wait for the next attempt. */
  online(): void {
    if (this.timer === null) return;
    clearTimeout(this.timer);
    this.delay = FIRST_DELAY;
    this.resume();
  }

  /** The scan is this patient's. */
  confirm(): void {
    this.confirmed = true;
    this.asking = false;
    this.pump();
  }

  stop(): void {
    this.close("stopped", "");
  }

  private close(kind: Ending["kind"], sentence: string): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.abort.abort();
    this.finish({ kind, sentence, location: this.location });
  }

  private pump(): void {
    if (this.abort.signal.aborted || this.asking || this.timer !== null) return;
    while (this.parts.length > 1 && this.active < AT_ONCE) this.launch(this.parts.shift() ?? [], true);
    if (this.active > 0) return;
    const last = this.parts.shift() ?? this.repetition();
    if (last) this.launch(last, false);
    else this.close("complete", "");
  }

  /** A file to say "that was all" with, where the last part brought nothing that could be sent. */
  private repetition(): Item[] | null {
    if (this.closed || this.repeated || !this.taken) return null;
    this.repeated = true;
    return [this.taken];
  }

  private launch(part: Item[], more: boolean): void {
    this.active += 1;
    this.send(part, more).finally(() => {
      this.active -= 1;
      this.pump();
    });
  }

  private async send(part: Item[], more: boolean): Promise<void> {
    this.report(part, 0);
    const opened = await this.open(part);
    if (opened.length === 0 || this.abort.signal.aborted) return;
    const items = opened.map(({ item }) => item);
    const sent: Part = { files: opened.map(({ file }) => file), more, confirmed: this.confirmed };
    const reply = await this.post(sent, (fraction) => this.report(items, fraction), this.abort.signal);
    if (!this.abort.signal.aborted) this.take(items, sent, reply);
  }

  /** Read a part's files; what cannot be read is refused here, lest it look like a lost connection for ever. */
  private async open(part: Item[]): Promise<{ item: Item; file: Blob }[]> {
    const opened: { item: Item; file: Blob }[] = [];
    const refused: Result[] = [];
    for (const item of part) {
      try {
        opened.push({ item, file: await item.read() });
      } catch (error) {
        const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
        refused.push({ item, outcome: "refused", sentence: this.words(code || "unreadable") });
      }
    }
    this.settle(refused);
    return opened;
  }

  private take(items: Item[], sent: Part, reply: Reply): void {
    const meaning = meaningOf(reply, items.length);
    if (meaning.kind !== "again") this.recover();
    if (meaning.kind === "again") {
      this.lose(items, reply.status);
    } else if (meaning.kind === "taken") {
      this.location = meaning.location;
      this.closed ||= !sent.more;
      this.settleAll(items, meaning.verdicts);
    } else if (meaning.kind === "other_person" && !sent.confirmed) {
      this.putBack(items);
      this.ask(meaning.sentence);
    } else if (meaning.kind !== "too_large") {
      this.close("refused", meaning.sentence || this.words("unexpected"));
    } else if (items.length > 1) {
      this.putBack(...halves(items));
    } else {
      const sentence = meaning.sentence || this.words("too_large");
      this.settle(items.map((item) => ({ item, outcome: "refused", sentence })));
    }
  }

  private settleAll(items: Item[], verdicts: (Verdict | undefined)[]): void {
    const passedOver: Verdict = { outcome: "left_out", sentence: this.words("passed_over") };
    const results = items.map((item, place) => ({ item, ...(verdicts[place] ?? passedOver) }));
    this.taken = results.find(({ outcome }) => outcome === "stored" || outcome === "known")?.item ?? this.taken;
    this.settle(results);
  }

  /** Ask once: a part that was on its way when the question came, or was answered, is sent again without another. */
  private ask(sentence: string): void {
    if (this.asking || this.confirmed) return;
    this.asking = true;
    this.watcher.asked(sentence);
  }

  private lose(items: Item[], status: number): void {
    this.putBack(items);
    this.broken = true;
    this.watcher.lost(status);
    if (this.timer !== null) return;
    this.timer = setTimeout(() => this.resume(), this.delay);
    this.delay = Math.min(2 * this.delay, LONGEST_DELAY);
  }

  private resume(): void {
    this.timer = null;
    this.pump();
  }

  private recover(): void {
    this.delay = FIRST_DELAY;
    if (!this.broken) return;
    this.broken = false;
    this.watcher.found();
  }

  private putBack(...parts: Item[][]): void {
    this.parts.unshift(...parts);
    this.watcher.waiting(parts.flat().filter((item) => !this.answered.has(item)));
  }

  private report(items: Item[], fraction: number): void {
    const open = items.filter((item) => !this.answered.has(item));
    if (open.length > 0 && !this.abort.signal.aborted) this.watcher.sending(open, fraction);
  }

  private settle(results: readonly Result[]): void {
    const fresh = results.filter(({ item }) => !this.answered.has(item));
    for (const { item } of fresh) this.answered.add(item);
    if (fresh.length > 0) this.watcher.settled(fresh);
  }
}
