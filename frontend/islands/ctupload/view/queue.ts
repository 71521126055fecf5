import Uppy, { BasePlugin, type Body, type Meta, type PluginOpts, type UppyFile } from "@uppy/core";
import { type Item, shares } from "../core/parts";
import { type Ending, type Post, type Result, Sender, type Watcher, type Words } from "../core/sender";
import type { Shown } from "../core/tally";
import { extract, type Member, membersOf, refuseZip, ZipProblem } from "../core/zip";

interface FileMeta extends Meta {
  shown: Shown;
  /** Which file of the ZIP it is, where the data is a ZIP. */
  member: Member | null;
}

type QueuedFile = UppyFile<FileMeta, Body>;
type Core = Uppy<FileMeta, Body>;
interface Options extends PluginOpts {
  send: (ids: string[]) => Promise<void>;
}

/**
 * The uploader. Uppy's own @uppy/xhr-upload sends each file by itself or all of them in one request, and gives up
 * after a few tries; it has no option for parts of 16, for an order at the end, or for a question in the middle.
 */
class PartsUploader extends BasePlugin<Options, FileMeta, Body> {
  constructor(uppy: Core, options: Options) {
    super(uppy, options);
    this.id = "parts";
    this.type = "uploader";
  }

  override install(): void {
    this.uppy.addUploader(this.opts.send);
  }

  override uninstall(): void {
    this.uppy.removeUploader(this.opts.send);
  }
}

/** The chosen files and the state of each, in Uppy's store. */
export class Queue {
  private readonly uppy: Core = new Uppy<FileMeta, Body>();
  private sender: Sender | null = null;
  private ending: Ending | null = null;

  constructor(
    private readonly post: Post,
    private readonly words: Words,
    private readonly alarms: Pick<Watcher, "lost" | "found" | "asked">,
    changed: () => void,
  ) {
    this.uppy.use(PartsUploader, { send: (ids) => this.run(ids) });
    this.uppy.on("state-update", changed);
    this.uppy.on("is-online", () => this.sender?.online());
  }

  get files(): Shown[] {
    return this.uppy.getFiles().map((file) => file.meta.shown);
  }

  /** Take files in place of those before; a ZIP gives the files in it, or itself with what is wrong with it. */
  async replace(chosen: readonly File[]): Promise<void> {
    const files: QueuedFile[] = [];
    for (const file of chosen) {
      for (const found of await this.unpack(file)) files.push(queued(files.length, found));
    }
    // addFiles() copies the whole store once for each file, which freezes the page at 10,000 of them, and drops files
    // of the same name, size and date, which slices on a CD may well have.
    this.uppy.clear();
    this.uppy.setState({ files: Object.fromEntries(files.map((file) => [file.id, file])) });
  }

  /** Send what waits, to the end; null where there was nothing to begin with. */
  async send(): Promise<Ending | null> {
    this.ending = null;
    await this.uppy.upload();
    return this.ending;
  }

  confirm(): void {
    this.sender?.confirm();
  }

  stop(): void {
    this.sender?.stop();
  }

  private async unpack(file: File): Promise<Found[]> {
    const { name, size } = file;
    if (!/\.zip$/i.test(name)) return [{ name, size, data: file }];
    try {
      return (await membersOf(file)).map((member) => ({ name: member.name, size: member.size, data: file, member }));
    } catch (error) {
      const problem = this.words(error instanceof ZipProblem ? error.code : "unreadable");
      // Nothing of it is sent, so it adds nothing to what is to be sent.
      return [{ name, size: 0, data: file, problem }];
    }
  }

  private async run(ids: string[]): Promise<void> {
    const waiting = ids.map((id) => this.uppy.getFile(id)).filter(({ meta }) => meta.shown.state === "waiting");
    this.sender = new Sender(waiting.map(itemOf), this.post, this.watcher(), this.words);
    this.ending = await this.sender.run();
    this.sender = null;
    const cut = this.uppy.getFiles().filter(({ meta }) => meta.shown.state === "sending");
    this.patch(cut.map(({ id }) => [id, { state: "waiting", fraction: 0 }]));
  }

  private watcher(): Watcher {
    return {
      ...this.alarms,
      waiting: (items) => this.patch(items.map(({ id }) => [id, { state: "waiting", fraction: 0 }])),
      sending: (items, fraction) => {
        const parts = shares(items, fraction);
        this.patch(items.map(({ id }, place) => [id, { state: "sending", fraction: parts[place] ?? 0 }]));
      },
      settled: (results: readonly Result[]) =>
        this.patch(results.map(({ item, outcome, sentence }) => [item.id, { state: outcome, fraction: 1, sentence }])),
    };
  }

  private patch(changes: [string, Partial<Shown>][]): void {
    const { files } = this.uppy.getState();
    const patches: Record<string, Pick<QueuedFile, "meta">> = {};
    for (const [id, change] of changes) {
      const meta = files[id]?.meta;
      if (meta) patches[id] = { meta: { ...meta, shown: { ...meta.shown, ...change } } };
    }
    this.uppy.patchFilesState(patches);
  }
}

interface Found {
  name: string;
  size: number;
  data: Blob;
  member?: Member;
  problem?: string;
}

/** The form in which Uppy's store holds a file. */
function queued(place: number, { name, size, data, member, problem }: Found): QueuedFile {
  const state = problem ? "refused" : "waiting";
  return {
    id: `file-${place}`,
    name,
    extension: "",
    type: "application/dicom",
    isRemote: false,
    isGhost: false,
    data,
    size,
    meta: { name, member: member ?? null, shown: { name, size, state, fraction: 0, sentence: problem ?? "" } },
    progress: { uploadStarted: null, bytesUploaded: false, bytesTotal: size },
  };
}

function itemOf({ id, data, meta }: QueuedFile): Item {
  const chosen = data as Blob;
  const read = async () => {
    // A snapshot: a file that cannot be read would break the request in a way that looks like a lost connection.
    const file = meta.member ? await extract(chosen, meta.member) : await new Response(chosen.stream()).blob();
    await refuseZip(file);
    return file;
  };
  return { id, size: meta.shown.size, read };
}
