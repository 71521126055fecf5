import { type Ct, nextWindow, type Point, type Voxel } from "./ct";
import { type Edit, History, record, slicesOf } from "./history";
import type { Action } from "./keys";
import { largestSlice, type Mask, middleOf } from "./mask";
import { GROWTH_MM, paintOf, resized, type Settings, START } from "./settings";
import { Stroke } from "./tools/brush";
import { fillContour } from "./tools/contour";
import { clearLabel, copyLabel } from "./tools/copy";
import { fillAround } from "./tools/fill";
import { grow, slicesInReach } from "./tools/grow";
import { gapsOf, interpolate } from "./tools/interpolate";
import { fitView, pan, type View, zoom } from "./view";

export type Note =
  | ""
  | "open"
  | "outOfRange"
  | "nothing"
  | "suggesting"
  | "noBleed"
  | "noAnswer"
  | { interpolated: number };

/** What an editor tells those who show and save it. */
export interface Listener {
  /** Something that is seen changed. */
  shown(): void;
  /** Labels of these slices changed, for good or within a stroke that goes on. */
  drawn(slices: readonly number[], done: boolean): void;
  note(note: Note): void;
}

const ZOOM = 1.25;

/** The state of the annotator, and all that a key or a pointer does to it; knows nothing of the page. */
export class Editor {
  settings: Settings = START;
  view: View;
  z: number;
  cursor: Point;
  /** What is drawn of a contour, in pixels. */
  contour: Point[] = [];
  readonly history = new History();
  private stroke: Stroke | null = null;

  constructor(
    readonly ct: Ct,
    readonly mask: Mask,
    readonly reading: boolean,
    private readonly listener: Listener,
  ) {
    this.z = largestSlice(mask, 1) ?? Math.floor(ct.slices / 2);
    this.cursor = middleOf(mask, this.z, 1) ?? { x: Math.floor(ct.columns / 2), y: Math.floor(ct.rows / 2) };
    this.view = fitView(ct, 1, 1);
  }

  get voxel(): Voxel {
    const within = (value: number, count: number) => Math.min(Math.max(Math.round(value), 0), count - 1);
    return { z: this.z, y: within(this.cursor.y, this.ct.rows), x: within(this.cursor.x, this.ct.columns) };
  }

  /** Radius of the brush in mm, 0 where the tool has none. */
  get radius(): number {
    const { tool, size } = this.settings;
    return !this.reading && (tool === "brush" || tool === "eraser") ? size / 2 : 0;
  }

  get isPenDown(): boolean {
    return this.stroke !== null;
  }

  set(settings: Partial<Settings>): void {
    this.lift();
    this.settings = { ...this.settings, ...settings };
    this.listener.shown();
  }

  go({ z, y, x }: Voxel): void {
    this.lift();
    this.z = Math.min(Math.max(z, 0), this.ct.slices - 1);
    this.cursor = { x, y };
    this.listener.shown();
  }

  toSlice(z: number): void {
    this.go({ z, y: this.cursor.y, x: this.cursor.x });
  }

  look(view: View): void {
    this.view = view;
    this.listener.shown();
  }

  /** The cursor is here now; with the pen down it draws on the way. */
  moveTo(point: Point): void {
    this.cursor = point;
    if (this.stroke?.to(point)) this.listener.drawn([this.z], false);
    else if (this.contour.length > 0) this.contour.push(point);
    this.listener.shown();
  }

  /** Begin to use the tool at the cursor. */
  press(): void {
    const { tool } = this.settings;
    if (this.reading || tool === "hand") return;
    if (tool === "fill") this.fill();
    else if (tool === "grow") this.grow();
    else if (tool === "contour") this.contour = [this.cursor];
    else this.putDown();
    this.listener.shown();
  }

  /** End what was begun: a stroke, or a contour, which is closed and filled. */
  lift(): void {
    const { stroke, contour } = this;
    this.stroke = null;
    this.contour = [];
    if (stroke) this.keep(stroke.end());
    if (contour.length > 2) {
      const paint = paintOf(this.settings);
      this.keep(record(this.mask, [this.z], () => fillContour(this.ct, this.mask, this.z, contour, paint)));
    }
    this.listener.shown();
  }

  act(action: Action): void {
    switch (action.kind) {
      case "slice":
        this.toSlice(this.z + action.by);
        break;
      case "cursor":
        this.step(action.x, action.y);
        break;
      case "zoom":
        this.zoomAt(action.by > 0 ? ZOOM : 1 / ZOOM, { x: this.view.width / 2, y: this.view.height / 2 });
        break;
      case "fit":
        this.look(fitView(this.ct, this.view.width, this.view.height));
        break;
      case "window":
        this.set({ window: nextWindow(this.settings.window) });
        break;
      case "outline":
        this.set({ outline: !this.settings.outline });
        break;
      default:
        if (!this.reading) this.edit(action);
    }
  }

  zoomAt(factor: number, screen: Point): void {
    this.look(zoom(this.view, this.ct, factor, screen));
  }

  panBy(by: Point): void {
    this.look(pan(this.view, this.ct, by));
  }

  private edit(action: Action): void {
    const { settings } = this;
    switch (action.kind) {
      case "tool":
        this.set({ tool: action.tool });
        break;
      case "range":
        this.set({ ranged: !settings.ranged });
        break;
      case "radius":
        this.set({ size: resized(settings.size, action.by) });
        break;
      case "label":
        this.set({ label: action.label });
        break;
      case "undo":
        this.back((history) => history.undo(this.mask));
        break;
      case "redo":
        this.back((history) => history.redo(this.mask));
        break;
      default:
        this.draw(action);
    }
  }

  private draw(action: Action): void {
    switch (action.kind) {
      case "dab":
        this.dab();
        break;
      case "pen":
        if (this.stroke || this.contour.length > 0) this.lift();
        else this.press();
        break;
      case "interpolate":
        this.interpolate();
        break;
      case "copy":
        this.copy(action.by);
        break;
      case "clear":
        this.keep(record(this.mask, [this.z], () => clearLabel(this.mask, this.z, this.settings.label)));
        break;
      case "cancel":
        this.contour = [];
        this.listener.shown();
    }
  }

  /** Add what was proposed where nothing is drawn yet, and go to where most of it is; says whether there was any. */
  accept(labels: Uint8Array): boolean {
    this.lift();
    const slices = Array.from({ length: this.ct.slices }, (_, z) => z);
    const edit = record(this.mask, slices, () => {
      for (let i = 0; i < labels.length; i++) {
        const z = Math.floor(i / this.mask.pixels);
        const [pixel, label] = [i - z * this.mask.pixels, labels[i] as number];
        if (label !== 0 && this.mask.at(z, pixel) === 0) this.mask.put(z, pixel, label);
      }
    });
    if (!edit) return false;
    const z = largestSlice(this.mask, 1) ?? this.z;
    this.go({ z, ...(middleOf(this.mask, z, 1) ?? this.cursor) });
    this.keep(edit);
    return true;
  }

  private step(x: number, y: number): void {
    const within = (value: number, count: number) => Math.min(Math.max(value, 0), count - 1);
    this.moveTo({
      x: within(Math.round(this.cursor.x) + x, this.ct.columns),
      y: within(Math.round(this.cursor.y) + y, this.ct.rows),
    });
  }

  /** Once at the cursor; a contour gets another corner there. */
  private dab(): void {
    if (this.settings.tool === "contour") this.contour.push(this.cursor);
    else this.press();
    if (this.stroke) this.lift();
    else this.listener.shown();
  }

  private putDown(): void {
    this.stroke = new Stroke(this.ct, this.mask, this.z, this.radius, paintOf(this.settings));
    if (this.stroke.to(this.cursor)) this.listener.drawn([this.z], false);
  }

  private fill(): void {
    const { z, y, x } = this.voxel;
    const paint = { label: this.settings.label };
    this.keep(
      record(this.mask, [z], () => {
        const filled = fillAround(this.ct, this.mask, z, y, x, paint);
        this.listener.note(filled === "open" ? "open" : "");
      }),
      true,
    );
  }

  private grow(): void {
    const { label, range } = this.settings;
    const growth = { seed: this.voxel, label, range, radius: GROWTH_MM, over: 0 };
    this.keep(
      record(this.mask, slicesInReach(this.ct, growth), () => {
        this.listener.note(grow(this.ct, this.mask, growth) === "out_of_range" ? "outOfRange" : "");
      }),
      true,
    );
  }

  private interpolate(): void {
    const { label } = this.settings;
    const between = gapsOf(this.mask, label).flatMap(([from, to]) =>
      Array.from({ length: to - from - 1 }, (_, i) => from + 1 + i),
    );
    let filled = 0;
    const edit = record(this.mask, between, () => {
      filled = interpolate(this.ct, this.mask, { label, over: 0 }).length;
    });
    this.keep(edit);
    if (edit) this.listener.note({ interpolated: filled });
  }

  private copy(by: 1 | -1): void {
    const [from, to] = [this.z, this.z + by];
    if (to < 0 || to >= this.ct.slices) return;
    const paint = paintOf({ ...this.settings, tool: "brush" });
    this.toSlice(to);
    this.keep(record(this.mask, [to], () => copyLabel(this.ct, this.mask, from, to, paint)));
  }

  private back(step: (history: History) => number[]): void {
    this.lift();
    this.listener.drawn(step(this.history), true);
    this.listener.shown();
  }

  /** Keep an edit; where nothing changed say so, unless it was said why. */
  private keep(edit: Edit | null, explained = false): void {
    this.history.push(edit);
    if (edit) this.listener.drawn(slicesOf(edit), true);
    if (!explained) this.listener.note(edit ? "" : "nothing");
    this.listener.shown();
  }
}
