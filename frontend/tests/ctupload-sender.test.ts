import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Item, partsOf, shares } from "../islands/ctupload/core/parts";
import { meaningOf, type Reply } from "../islands/ctupload/core/reply";
import { type Ending, type Part, type Post, Sender } from "../islands/ctupload/core/sender";
import { foremost, type Shown, tally } from "../islands/ctupload/core/tally";
import { bodyOf } from "../islands/ctupload/view/post";

const file = (id: string, size = 500_000): Item => ({ id, size, read: async () => new Blob([id]) });
const files = (count: number, size?: number) => Array.from({ length: count }, (_, i) => file(`f${i}`, size));

describe("parts", () => {
  it.each([
    [28, 500_000, [16, 12]],
    [16, 1_000_000, [16]],
    [5, 7_000_000, [2, 2, 1]],
    [3, 20_000_000, [1, 1, 1]],
    [0, 1, []],
  ])("%i files of %i bytes go in parts of %j", (count, size, expected) => {
    expect(partsOf(files(count, size)).map((part) => part.length)).toEqual(expected);
  });

  it("are sent file by file", () => {
    expect(shares([{ size: 100 }, { size: 300 }], 0.5)).toEqual([1, 100 / 300]);
    expect(shares([{ size: 100 }, { size: 300 }], 1)).toEqual([1, 1]);
    expect(shares([{ size: 100 }, { size: 0 }], 0)).toEqual([0, 0]);
  });
});

describe("what travels", () => {
  it("is bytes without the names that the hospital gave", () => {
    const doe = new File(["pixels"], "DOE^JOHN 1950.dcm");
    const body = bodyOf({ files: [doe, new Blob(["more"])], more: true, confirmed: false });
    const sent = [...body].map(([field, value]) => [field, typeof value === "string" ? value : value.name]);
    expect(sent).toEqual([
      ["more", "1"],
      ["files", "file-00001"],
      ["files", "file-00002"],
    ]);
    expect([...bodyOf({ files: [], more: false, confirmed: true })]).toEqual([
      ["more", "0"],
      ["confirmed", "1"],
    ]);
  });
});

const problem = (status: number, code: string, detail: string): Reply => ({
  status,
  body: JSON.stringify({ title: code, status, code, detail }),
});

function taken(names: string[], outcomes?: object[]): Reply {
  const each = outcomes ?? names.map((_, i) => ({ number: i + 1, status: "stored", code: "", sentence: "" }));
  return {
    status: 201,
    body: JSON.stringify({ location: "/patients/A-1/#ct", counts: {}, outcomes: each, series: [] }),
  };
}

interface Sent extends Part {
  names: string[];
}

/** A server that answers by script, each part after a tenth of a second, and the page that watches it. */
class Bench {
  readonly sent: Sent[] = [];
  readonly log: string[] = [];
  readonly state = new Map<string, string>();
  mostAtOnce = 0;
  ending: Ending | null = null;
  readonly sender: Sender;
  private atOnce = 0;

  constructor(items: Item[], reply: (part: Sent, nth: number) => Reply = ({ names }) => taken(names)) {
    const post: Post = async (part, progress, signal) => {
      const names = await Promise.all(part.files.map((blob) => blob.text()));
      const nth = this.sent.push({ ...part, names });
      this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce);
      progress(1);
      await new Promise((resolve) => setTimeout(resolve, 100));
      if (!part.more) this.log.push(`last of ${this.atOnce}`);
      this.atOnce -= 1;
      return signal.aborted ? { status: 0, body: "" } : reply({ ...part, names }, nth);
    };
    const set = (all: readonly Item[], state: string) => {
      for (const { id } of all) this.state.set(id, state);
    };
    this.sender = new Sender(
      items,
      post,
      {
        waiting: (all) => set(all, "waiting"),
        sending: (all) => set(all, "sending"),
        settled: (results) => {
          for (const { item, outcome, sentence } of results) this.state.set(item.id, `${outcome} ${sentence}`.trim());
        },
        lost: (status) => this.log.push(`lost ${status}`),
        found: () => this.log.push("found"),
        asked: (sentence) => this.log.push(`asked ${sentence}`),
      },
      (code) => `<${code}>`,
    );
  }

  async start(milliseconds: number): Promise<void> {
    this.sender.run().then((ending) => {
      this.ending = ending;
    });
    await vi.advanceTimersByTimeAsync(milliseconds);
  }

  count(state: string): number {
    return [...this.state.values()].filter((value) => value === state).length;
  }
}

describe("a sender", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("sends two parts at once, and the last one alone when all others are answered", async () => {
    const bench = new Bench(files(70));
    await bench.start(2000);
    expect(bench.sent.map((part) => part.names.length)).toEqual([16, 16, 16, 16, 6]);
    expect(bench.sent.map((part) => part.more)).toEqual([true, true, true, true, false]);
    expect(bench.log).toEqual(["last of 1"]);
    expect(bench.mostAtOnce).toBe(2);
    expect(bench.count("stored")).toBe(70);
    expect(bench.ending).toEqual({ kind: "complete", sentence: "", location: "/patients/A-1/#ct" });
  });

  it("says at once that a small upload is whole", async () => {
    const bench = new Bench(files(1));
    await bench.start(1000);
    expect(bench.sent.map((part) => part.more)).toEqual([false]);
    expect(bench.sent[0]?.confirmed).toBe(false);
  });

  it("tries again after 1, 2, 4, ... at most 30 s, as long as it takes", async () => {
    const times: number[] = [];
    const bench = new Bench(files(3), ({ names }, nth) => {
      times.push(Date.now());
      return nth <= 8 ? { status: 0, body: "" } : taken(names);
    });
    await bench.start(150_000);
    const waits = times.slice(1).map((time, i) => Math.round((time - (times[i] ?? 0) - 100) / 1000));
    expect(waits).toEqual([1, 2, 4, 8, 16, 30, 30, 30]);
    expect(bench.log.filter((line) => !line.startsWith("last"))).toEqual([...Array(8).fill("lost 0"), "found"]);
    expect(bench.count("stored")).toBe(3);
    expect(bench.ending?.kind).toBe("complete");
  });

  it("goes on at once when the network is back, and loses nothing", async () => {
    let connected = true;
    const bench = new Bench(files(100), ({ names }) => (connected ? taken(names) : { status: 0, body: "" }));
    await bench.start(150);
    connected = false;
    await vi.advanceTimersByTimeAsync(20_000);
    expect(bench.count("stored")).toBe(32);
    expect(bench.count("sending")).toBe(0);
    connected = true;
    bench.sender.online();
    await vi.advanceTimersByTimeAsync(1000);
    expect(bench.count("stored")).toBe(100);
    expect(bench.ending?.kind).toBe("complete");
    expect(bench.sent.at(-1)?.more).toBe(false);
  });

  it.each([500, 502, 503, 408, 429])("takes %i for a passing trouble", async (status) => {
    const bench = new Bench(files(2), ({ names }, nth) => (nth === 1 ? { status, body: "<html>" } : taken(names)));
    await bench.start(2000);
    expect(bench.log).toContain(`lost ${status}`);
    expect(bench.count("stored")).toBe(2);
  });

  it("asks once whether the scan is this patient's, and then sends all of it as confirmed", async () => {
    const sentence = "This may be another person's scan: the sex differs.";
    const bench = new Bench(files(70), ({ names, confirmed }) =>
      confirmed ? taken(names) : problem(409, "other_person", sentence),
    );
    await bench.start(5000);
    expect(bench.log).toEqual([`asked ${sentence}`]);
    expect(bench.sent).toHaveLength(2);
    expect(bench.ending).toBeNull();
    bench.sender.confirm();
    await vi.advanceTimersByTimeAsync(5000);
    expect(bench.count("stored")).toBe(70);
    expect(bench.sent.slice(2).every((part) => part.confirmed)).toBe(true);
    expect(bench.log.filter((line) => line.startsWith("asked"))).toHaveLength(1);
  });

  it("stops where the answer is no", async () => {
    const bench = new Bench(files(40), () => problem(409, "other_person", "Whose scan is it?"));
    await bench.start(1000);
    bench.sender.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(bench.ending).toEqual({ kind: "stopped", sentence: "", location: "" });
    expect(bench.sent).toHaveLength(2);
  });

  it("does not ask for ever a server that does not listen", async () => {
    const bench = new Bench(files(2), () => problem(409, "other_person", "Whose scan is it?"));
    await bench.start(1000);
    bench.sender.confirm();
    await vi.advanceTimersByTimeAsync(1000);
    expect(bench.ending).toMatchObject({ kind: "refused", sentence: "Whose scan is it?" });
  });

  it.each([
    [problem(422, "several_persons", "The upload holds scans of 2 persons."), "The upload holds scans of 2 persons."],
    [{ status: 403, body: "<html>CSRF" }, "<unexpected>"],
    [{ status: 200, body: "<html>Sign in" }, "<unexpected>"],
    [{ status: 200, body: '{"location": "/patients/A-1/"}' }, "<unexpected>"],
  ])("stops at %j with its sentence", async (reply, sentence) => {
    const bench = new Bench(files(100), ({ names }, nth) => (nth <= 2 ? taken(names) : reply));
    await bench.start(60_000);
    expect(bench.ending).toEqual({ kind: "refused", sentence, location: "/patients/A-1/#ct" });
    expect(bench.count("stored")).toBe(32);
    expect(bench.sent).toHaveLength(4);
  });

  it("halves a part that is too large, down to the one file that is", async () => {
    const bench = new Bench(files(10), ({ names }) =>
      names.includes("f6") ? problem(413, "upload_too_large", "Too large.") : taken(names),
    );
    await bench.start(10_000);
    expect(bench.state.get("f6")).toBe("refused Too large.");
    expect(bench.count("stored")).toBe(9);
    expect(bench.ending?.kind).toBe("complete");
    expect(bench.sent.filter((part) => !part.more && !part.names.includes("f6"))).toHaveLength(1);
  });

  it("says that it was all by a file sent again, where the last file was too large", async () => {
    const bench = new Bench([...files(16), file("big", 20_000_000)], ({ names }) =>
      names.includes("big") ? { status: 413, body: "<html>" } : taken(names),
    );
    await bench.start(10_000);
    expect(bench.sent.map(({ names, more }) => [names.length, names[0], more])).toEqual([
      [16, "f0", true],
      [1, "big", false],
      [1, "f0", false],
    ]);
    expect(bench.state.get("big")).toBe("refused <too_large>");
    expect(bench.state.get("f0")).toBe("stored");
  });

  it("names a file that cannot be read, and sends the others", async () => {
    const broken: Item = { id: "bad", size: 5, read: () => Promise.reject(new DOMException("", "NotReadableError")) };
    const cut: Item = {
      id: "cut",
      size: 5,
      read: () => Promise.reject(Object.assign(new Error(), { code: "zip_damaged" })),
    };
    const bench = new Bench([broken, ...files(3), cut]);
    await bench.start(5000);
    expect(bench.state.get("bad")).toBe("refused <unreadable>");
    expect(bench.state.get("cut")).toBe("refused <zip_damaged>");
    expect(bench.sent.map((part) => part.names)).toEqual([["f0", "f1", "f2"]]);
    expect(bench.ending?.kind).toBe("complete");
  });

  it("ends where nothing can be read", async () => {
    const bench = new Bench([{ id: "bad", size: 5, read: () => Promise.reject(new Error()) }]);
    await bench.start(1000);
    expect(bench.ending).toEqual({ kind: "complete", sentence: "", location: "" });
    expect(bench.sent).toHaveLength(0);
  });

  it("stops while the connection is lost, and tries no more", async () => {
    const bench = new Bench(files(3), () => ({ status: 0, body: "" }));
    await bench.start(500);
    bench.sender.stop();
    await vi.advanceTimersByTimeAsync(100_000);
    expect(bench.sent).toHaveLength(1);
    expect(bench.ending?.kind).toBe("stopped");
  });

  it("gives each file its own outcome", async () => {
    const bench = new Bench(files(4), ({ names }) =>
      taken(names, [
        { number: 4, status: "refused", code: "unreadable", sentence: "Damaged." },
        { number: 1, status: "stored", code: "", sentence: "" },
        { number: 3, status: "held", code: "burned_in", sentence: "Text." },
      ]),
    );
    await bench.start(1000);
    expect(Object.fromEntries(bench.state)).toEqual({
      f0: "stored",
      f1: "left_out <passed_over>",
      f2: "held Text.",
      f3: "refused Damaged.",
    });
  });
});

describe("a reply", () => {
  it("that names a file twice counts the worse", () => {
    const outcomes = [
      { number: 1, status: "refused", sentence: "Damaged." },
      { number: 1, status: "stored", sentence: "" },
    ];
    expect(meaningOf(taken(["a"], outcomes), 1)).toEqual({
      kind: "taken",
      location: "/patients/A-1/#ct",
      verdicts: [{ outcome: "refused", sentence: "Damaged." }],
    });
  });

  it.each([[[{ number: 2, status: "stored" }]], [[{ number: 1, status: "lost" }]], [[null]]])(
    "with the outcomes %j is not believed",
    (outcomes) => {
      expect(meaningOf(taken(["a"], outcomes as object[]), 1)).toEqual({ kind: "refused", sentence: "" });
    },
  );
});

describe("the account", () => {
  const shown = (state: Shown["state"], sentence = "", fraction = 0, size = 1_000_000): Shown => ({
    name: state,
    size,
    state,
    fraction,
    sentence,
  });

  it("adds up, and names each reason once", () => {
    const result = tally([
      shown("stored"),
      shown("refused", "Damaged."),
      shown("left_out", "A scout."),
      shown("left_out", "A scout."),
      shown("sending", "", 0.25),
      shown("waiting"),
    ]);
    expect(result).toEqual({
      done: 4,
      total: 6,
      sentBytes: 4_250_000,
      totalBytes: 6_000_000,
      counts: [
        ["refused", 1],
        ["left_out", 2],
        ["sending", 1],
        ["waiting", 1],
        ["stored", 1],
      ],
      reasons: [
        ["A scout.", 2],
        ["Damaged.", 1],
      ],
    });
  });

  it("shows trouble first, and counts what it does not show", () => {
    const all = [...Array(9998).fill(shown("stored")), shown("waiting"), shown("refused", "Damaged.")];
    const { shown: rows, rest } = foremost(all, 100);
    expect(rows.slice(0, 3).map((row) => row.state)).toEqual(["refused", "waiting", "stored"]);
    expect(rows).toHaveLength(100);
    expect(rest).toBe(9900);
  });
});
