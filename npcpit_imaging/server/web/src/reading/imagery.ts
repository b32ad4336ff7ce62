// What is shown on the two sides: which series, the PET on top, the link, and the way to a lesion.

import { add, middle, scale, type Vec3 } from "../image/vector";
import { modalitiesOf, pick, seriesOf } from "./choose";
import type { LesionEntry } from "../api/types";
import type { BarState } from "./panels/topbar";
import type { ReadModel } from "./model";
import type { Side } from "./side";
import type { Stage } from "./stage";
import { repeats, REPEATS_MEANS } from "../image/links";

const FUSED_UPPER_SUV = 10;

export class Imagery {
  modality = "CT";
  fusionText = "";
  fusionWarning = false;

  constructor(
    private readonly stage: Stage,
    private readonly model: ReadModel,
    private readonly say: (text: string) => void,
    private readonly shown: () => void,
  ) {}

  get modalities(): readonly string[] {
    return modalitiesOf(seriesOf(this.model.read, this.stage.right.timepoint));
  }

  /** Both sides to a lesion: where it is now, else where it was. */
  async jump(entry: LesionEntry): Promise<void> {
    const { left, right } = this.stage;
    const mine = await this.now(entry);
    if (mine !== null) await this.stage.go("right", mine, mine);
    const before = entry.earlier.find((each) => each.timepoint === left.timepoint);
    if (before?.caliper === null || before?.series_uid === null || before === undefined) return;
    const point = await this.carried(before.series_uid, left, middle(...before.caliper));
    if (point === null) return;
    if (mine === null && right.volume !== null) await this.stage.go("left", point, point);
    else await left.look(point, point);
    this.stage.offset_mm = null;
  }

  /** Where a lesion is on the current side: its mask, its caliper, or where to look for it. */
  private async now(entry: LesionEntry): Promise<Vec3 | null> {
    const { right } = this.stage;
    const diagnostic = pick(seriesOf(this.model.read, right.timepoint), "CT")?.uid;
    const longest = entry.mask?.measurement.longest ?? null;
    const drawn = entry.caliper;
    if (longest !== null && entry.mask !== null) return this.carried(entry.mask.series_uid, right, middle(...longest));
    if (drawn !== null) return this.carried(drawn.series_uid, right, middle(drawn.start_mm, drawn.end_mm));
    return entry.seed_mm === null || diagnostic === undefined ? null : this.carried(diagnostic, right, entry.seed_mm);
  }

  private async carried(series: string, side: Side, point: Vec3): Promise<Vec3 | null> {
    const shown = side.volume?.uid;
    if (shown === undefined) return null;
    return (await this.stage.links.between(series, shown)?.map(point)) ?? null;
  }

  async showSeries(side: Side, uid: string, timepoint = side.timepoint): Promise<void> {
    const before = side.volume?.uid;
    const point = before === undefined ? null : ((await this.stage.links.between(before, uid)?.map(side.main.focus)) ?? null);
    try {
      await side.show(uid, point, timepoint);
    } catch (error) {
      side.fail(error);
      this.shown(); // names go with what is there
      return;
    }
    this.modality = this.stage.right.volume?.geometry.modality ?? this.modality;
    if (this.stage.fused) await this.fuse(true);
    this.shown();
  }

  /** The next series of the side that the keys move. */
  async nextSeries(): Promise<void> {
    const side = this.stage.side(this.stage.active);
    const all = seriesOf(this.model.read, side.timepoint);
    const next = all[(all.findIndex((each) => each.uid === side.volume?.uid) + 1) % all.length];
    if (next !== undefined) await this.showSeries(side, next.uid);
  }

  async showTimepoint(timepoint: string): Promise<void> {
    const { left, right } = this.stage;
    if (timepoint === "") return;
    const like = this.model.read.timepoints.find((each) => each.name === right.timepoint)?.series.find((each) => each.uid === right.volume?.uid);
    const series = pick(seriesOf(this.model.read, timepoint), this.modality, like?.description);
    if (series === null) {
      left.showNone(timepoint, "No series of this visit can be shown as a volume.");
      this.shown();
    } else await this.showSeries(left, series.uid, timepoint);
    await this.stage.go("right", right.main.focus);
  }

  async nextModality(): Promise<void> {
    const all = this.modalities;
    await this.showModality(all[(all.indexOf(this.modality) + 1) % all.length] ?? this.modality);
  }

  async showModality(name: string): Promise<void> {
    for (const side of [this.stage.right, this.stage.left]) {
      if (side.timepoint === "") continue;
      const series = pick(seriesOf(this.model.read, side.timepoint), name);
      if (series !== null) await this.showSeries(side, series.uid);
    }
    await this.stage.go("right", this.stage.right.main.focus);
  }

  async fuse(on: boolean): Promise<void> {
    const said = await this.stage.setFusion(on, FUSED_UPPER_SUV);
    if (said === null) return; // asked for otherwise meanwhile
    this.fusionText = said.text;
    this.fusionWarning = said.warning;
    if (said.warning && on) this.say(said.text);
  }

  async toggleLink(): Promise<void> {
    this.stage.linked = !this.stage.linked;
    if (this.stage.linked) await this.stage.go(this.stage.active, this.stage.side(this.stage.active).main.focus);
  }

  /** Move the cursor by voxels within the shown plane. */
  async step(columns: number, rows: number): Promise<Vec3 | null> {
    const side = this.stage.side(this.stage.active);
    const { view, focus } = side.main;
    if (view === null) return null;
    const along = add(scale(view.grid.axes[0], columns * view.grid.spacing_mm[0]), scale(view.grid.axes[1], rows * view.grid.spacing_mm[1]));
    const point = add(focus, along);
    await this.stage.go(this.stage.active, point);
    return point;
  }

  linkState(): BarState["link"] {
    const { stage } = this;
    const path = stage.left.timepoint === "" ? null : stage.path("right");
    if (stage.left.timepoint === "") return { text: "Link: no earlier visit", on: false, warning: false, title: "" };
    if (path === null) return { text: "Link: no registration", on: false, warning: true, title: stage.links.links.map((each) => each.problem).filter((each) => each !== "").join("; ") };
    const on = stage.linked ? "Link" : "Link off";
    if (path.sameFrame) return { text: `${on}: same frame`, on: stage.linked, warning: false, title: "Both images have one frame of reference." };
    const verdict = path.verdict === "accept" ? "accepted" : "DOUBTFUL";
    const how = [`${path.deformable ? "deformable, " : ""}${verdict}`, repeats(path.uncertainty_mm)].filter((each) => each !== "").join(", ");
    return { text: `${on}: ${how}`, on: stage.linked, warning: path.verdict === "warn", title: ["By registration.", ...path.reasons, REPEATS_MEANS].join(" ") };
  }
}
