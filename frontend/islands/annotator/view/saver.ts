import type { Mask } from "../core/mask";
import { pack } from "./packing";

/** ms after a stroke until it is sent, and until a failed sending is tried again. */
const SOON = 300;
const AGAIN = 2000;

export type SaveState = "saved" | "saving" | "unsaved" | "signedOut" | { refused: string };

/** Sends changed slices soon after they changed, one request at a time; what fails is sent again. */
export class Saver {
  /** Names this page: what it sent and heard no answer to it may send again. */
  private readonly window = crypto.getRandomValues(new Uint32Array(4)).join("").slice(0, 36);
  private readonly dirty = new Set<number>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private running: Promise<void> | null = null;
  private refused = false;

  constructor(
    private readonly mask: Mask,
    private readonly url: string,
    private token: string,
    /** Asks for the token of the session as it is now; a sign-in gives another one. */
    private readonly renewToken: () => Promise<string | null>,
    public revision: number,
    private readonly seriesRevision: number,
    private readonly tell: (state: SaveState) => void,
  ) {}

  /** Whether everything that was drawn is on the server. */
  get isSaved(): boolean {
    return this.dirty.size === 0 && this.running === null;
  }

  touch(slices: Iterable<number>): void {
    for (const z of slices) this.dirty.add(z);
    if (this.dirty.size === 0 || this.refused) return;
    this.tell("saving");
    this.later(SOON);
  }

  /** Send all there is; says whether it arrived. */
  async flush(): Promise<boolean> {
    clearTimeout(this.timer);
    while (this.running) await this.running;
    if (this.dirty.size > 0 && !this.refused) await this.start();
    return this.isSaved;
  }

  private later(wait: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (this.running) this.later(SOON);
      else void this.start();
    }, wait);
  }

  private start(): Promise<void> {
    this.running = this.send().finally(() => {
      this.running = null;
      if (this.isSaved) this.tell("saved");
    });
    return this.running;
  }

  private async send(): Promise<void> {
    const slices = [...this.dirty];
    this.dirty.clear();
    try {
      if (await this.post(slices)) return;
    } catch {
      this.fail("unsaved");
    }
    for (const z of slices) this.dirty.add(z);
  }

  /** Say whether the server has kept the slices; if not, what comes next is settled. */
  private async post(slices: readonly number[]): Promise<boolean> {
    const request = { method: "POST", body: await this.bodyOf(slices), headers: this.headers() };
    // To the page for signing in, if the session has ended.
    const answer = await fetch(this.url, { ...request, redirect: "manual" });
    if (answer.type === "opaqueredirect") this.fail("signedOut");
    else if (answer.status === 403) await this.renew();
    else if (answer.status >= 500) this.fail("unsaved");
    else return this.heard(answer.ok, await answer.json());
    return false;
  }

  private heard(ok: boolean, body: { revision?: number; detail?: string }): boolean {
    if (ok && body.revision !== undefined) {
      this.revision = body.revision;
      return true;
    }
    // What the server refuses it would refuse again.
    this.refused = true;
    this.tell({ refused: body.detail ?? "" });
    return false;
  }

  private async renew(): Promise<void> {
    const token = await this.renewToken();
    if (token === null || token === this.token) {
      this.fail("signedOut");
    } else {
      this.token = token;
      this.later(SOON);
    }
  }

  private headers(): Record<string, string> {
    return { "X-CSRFToken": this.token, Accept: "application/json" };
  }

  private async bodyOf(slices: readonly number[]): Promise<FormData> {
    const form = new FormData();
    form.set("revision", String(this.revision));
    form.set("window", this.window);
    form.set("series_revision", String(this.seriesRevision));
    for (const z of slices) form.set(String(z), await pack(this.mask.slice(z)), "labels");
    return form;
  }

  private fail(state: "unsaved" | "signedOut"): void {
    this.tell(state);
    this.later(AGAIN);
  }
}
