// One side of the reading screen: a time point's series, shown as it was taken and, when asked for, along its two other axes.

import { h, replace } from "../dom/h";
import { Pane, wholeHeight_mm } from "../image/pane";
import { presetsOf, type WindowPreset } from "../image/windows";
import { resampledView, viewOf } from "../image/view";
import type { Rigid } from "../image/transform";
import type { Vec3 } from "../image/vector";
import { volumeOf, type SeriesVolume } from "../image/volume";

export type SideName = "left" | "right";

export class Side {
  readonly root: HTMLElement;
  readonly main: Pane;
  readonly corners = { topLeft: corner("top-left"), topRight: corner("top-right"), bottomLeft: corner("bottom-left"), bottomRight: corner("bottom-right") };
  private readonly orthogonal: Pane[];
  private readonly column = h("div", { class: "orthogonal", hidden: true });
  private readonly message = h("div", { class: "pane-message", role: "status", hidden: true });
  volume: SeriesVolume | null = null;
  timepoint = "";
  private wanted = ""; // the series that was asked for last
  private failed = false; // a plane did not come
  mpr = false;

  constructor(
    readonly name: SideName,
    label: string,
    drawn: (pane: Pane) => void,
  ) {
    this.main = new Pane(name, label, () => drawn(this.main));
    this.orthogonal = (["coronal", "sagittal"] as const).map((cut) => {
      const pane: Pane = new Pane(`${name}-${cut}`, `${label}, ${cut}`, () => drawn(pane));
      return pane;
    });
    const { topLeft, topRight, bottomLeft, bottomRight } = this.corners;
    const area = h("div", { class: "main-image" }, this.main.root, topLeft, topRight, bottomLeft, bottomRight, this.message);
    replace(this.column, ...this.orthogonal.map((pane) => pane.root));
    this.root = h("section", { class: `side ${name}`, "aria-label": label, "data-side": name }, area, this.column);
  }

  get panes(): readonly Pane[] {
    return this.mpr ? [this.main, ...this.orthogonal] : [this.main];
  }

  enable(): void {
    this.main.enable();
    this.main.resize();
  }

  say(text: string): void {
    this.message.textContent = text;
    this.message.hidden = text === "";
  }

  /** Show a series at a point (its centre when null); its slices arrive from there outwards. */
  async show(uid: string, point: Vec3 | null, timepoint = this.timepoint): Promise<void> {
    this.say("opening the images");
    this.wanted = uid;
    const volume = await volumeOf(uid);
    if (this.wanted !== uid) return; // another series was asked for meanwhile
    const changed = this.volume?.uid !== uid;
    this.volume = volume;
    this.timepoint = timepoint; // not before: the name goes with the picture
    const view = viewOf(volume, "native");
    const window = presetsOf(volume.geometry)[0];
    if (changed && window !== undefined) this.main.setWindowLater(window);
    await this.main.show(view, point);
    this.root.classList.toggle("light", this.main.window?.invert === true);
    this.say("");
    const all = Math.ceil(volume.grid.size[2] / 12);
    let done = 0;
    void volume
      .fetchAll(this.main.plane, () => {
        done += 1;
        this.main.root.dataset["loaded"] = volume.complete ? "all" : `${Math.round((100 * done) / all)}%`;
      })
      .catch((error: unknown) => this.say(error instanceof Error ? error.message : String(error)));
    if (this.mpr) await this.showOrthogonal();
  }

  /** A visit of which nothing can be shown. */
  showNone(timepoint: string, why: string): void {
    this.wanted = "";
    this.volume = null;
    this.timepoint = timepoint;
    for (const pane of [this.main, ...this.orthogonal]) pane.clear();
    this.say(why);
  }

  /** Something did not come; said until a look at this side succeeds. */
  fail(error: unknown): void {
    this.failed = true;
    this.say(error instanceof Error ? error.message : String(error));
  }

  async setMpr(on: boolean): Promise<void> {
    this.mpr = on;
    this.column.hidden = !on;
    this.root.classList.toggle("mpr", on);
    if (on) await this.showOrthogonal();
  }

  private async showOrthogonal(): Promise<void> {
    if (this.volume === null) return;
    for (const [n, cut] of (["coronal", "sagittal"] as const).entries()) {
      const pane = this.orthogonal[n];
      if (pane === undefined) continue;
      if (!pane.enabled) pane.enable();
      pane.resize();
      const view = viewOf(this.volume, cut);
      pane.halfHeight_mm = Math.max(wholeHeight_mm(view), 40);
      if (this.main.window !== null) pane.setWindowLater(this.main.window);
      await pane.show(view, this.main.focus);
    }
  }

  /** Look at a point in every plane. */
  async look(point: Vec3, middle?: Vec3): Promise<void> {
    try {
      await this.main.look(point, middle);
      if (this.mpr) for (const pane of this.orthogonal) await pane.look(this.main.focus, this.main.focus);
    } catch (error) {
      this.fail(error);
      return;
    }
    if (this.failed) this.say("");
    this.failed = false;
  }

  setWindow(preset: WindowPreset): void {
    for (const pane of this.panes) pane.setWindow(preset);
  }

  async fuse(pet: SeriesVolume | null, onto: Rigid, upper: number, opacity: number): Promise<void> {
    const base = this.main.view;
    const view = pet === null || base === null ? null : resampledView(base, pet, onto);
    await this.main.fuse(view, upper, opacity);
  }

  resize(): void {
    for (const pane of this.panes) pane.resize();
  }

  disable(): void {
    for (const pane of [this.main, ...this.orthogonal]) if (pane.enabled) pane.disable();
  }
}

const corner = (where: string): HTMLElement => h("div", { class: `corner ${where}` });
