// What the keys and buttons do.

import type { Read, SeriesLine } from "../api/types";
import { during } from "../dom/busy";
import { openDialog } from "../dom/dialog";
import type { Pane } from "../image/pane";
import { add, subtract, type Vec3 } from "../image/vector";
import { offered, type Accept } from "./accept";
import { askDetails, askNewLesion, askRead, askSignature, askState, askUnlock, showHelp } from "./dialogs";
import { seriesOf } from "./choose";
import { Imagery } from "./imagery";
import type { Command } from "./keymap";
import { ON_ITS_WAY, whyNot, type Hand } from "./pointer";
import type { ReadingScreen } from "./screen";
import { ADD, NOT, PLAIN, type Handle, type Meaning } from "./tools";

const REGIONS = ["images", "lesions", "card", "checks", "bar"] as const;

export const choicesAt = (read: Read, timepoint: string): readonly SeriesLine[] => seriesOf(read, timepoint);

export class Commands implements Hand {
  chosen: string | null = null;
  readonly imagery: Imagery;

  constructor(private readonly screen: ReadingScreen) {
    this.imagery = new Imagery(screen.stage, screen.model, (text) => screen.say(text), () => screen.renderStage());
  }

  get stage(): ReadingScreen["stage"] {
    return this.screen.stage;
  }

  get tools(): ReadingScreen["tools"] {
    return this.screen.tools;
  }

  get model(): ReadingScreen["model"] {
    return this.screen.model;
  }

  lesion(): ReturnType<Hand["lesion"]> {
    return this.model.lesion(this.chosen);
  }

  redraw(): void {
    this.screen.redraw();
  }

  refuse(why: string): void {
    this.screen.say(why);
  }

  async run(command: Command, far = false): Promise<void> {
    const many = far ? 10 : 1;
    const deeds: Partial<Record<Command, () => unknown>> = {
      ...this.toolDeeds(),
      ...this.imageDeeds(),
      ...this.lesionDeeds(),
      left: () => this.arrow(-many, 0),
      right: () => this.arrow(many, 0),
      up: () => this.arrow(0, -many),
      down: () => this.arrow(0, many),
      "next-region": () => this.nextRegion(),
      help: () => showHelp(),
    };
    const work = Promise.resolve(deeds[command]?.());
    await (command in this.imageDeeds() ? during(work) : work);
    this.screen.renderStage();
  }

  private toolDeeds(): Partial<Record<Command, () => unknown>> {
    const { tools } = this;
    return {
      segment: () => tools.choose("segment"),
      brush: () => tools.choose("brush"),
      erase: () => tools.choose("erase"),
      caliper: () => tools.choose("caliper"),
      "window-tool": () => tools.choose("window"),
      "pan-tool": () => tools.choose("pan"),
      look: () => this.backToImages(),
      smaller: () => tools.resize(-1),
      larger: () => tools.resize(1),
      drop: () => this.drop(PLAIN),
      "drop-add": () => this.drop(ADD),
      "drop-not": () => this.drop(NOT),
      "fill-between": () => this.fillBetween(),
    };
  }

  private imageDeeds(): Partial<Record<Command, () => unknown>> {
    const { stage, imagery } = this;
    const window = (n: number) => (): void => stage.preset(n);
    return {
      link: () => imagery.toggleLink(),
      mpr: () => stage.setMpr(!stage.right.mpr),
      fusion: () => imagery.fuse(!stage.fused),
      ghost: () => (this.screen.ghosts = !this.screen.ghosts),
      modality: () => imagery.nextModality(),
      series: () => imagery.nextSeries(),
      side: () => this.switchSide(),
      jump: () => this.jump(),
      reset: () => stage.whole(),
      "zoom-in": () => stage.zoom(1 / 1.25),
      "zoom-out": () => stage.zoom(1.25),
      "slice-up": () => stage.scroll(stage.active, 1),
      "slice-down": () => stage.scroll(stage.active, -1),
      "slice-up-alone": () => stage.scroll(stage.active, 1, true),
      "slice-down-alone": () => stage.scroll(stage.active, -1, true),
      "window-1": window(0),
      "window-2": window(1),
      "window-3": window(2),
      "window-4": window(3),
    };
  }

  private lesionDeeds(): Partial<Record<Command, () => unknown>> {
    const { model } = this;
    const withLesion = (deed: (entry: NonNullable<ReturnType<Hand["lesion"]>>) => unknown) => (): unknown => {
      const entry = this.lesion();
      if (model.open && entry !== null) return deed(entry);
      this.refuse(model.open ? "Choose a lesion first (Tab)." : "This time point is signed. Unlock it with a reason to change it.");
      return undefined;
    };
    return {
      "next-lesion": () => this.next(1),
      "previous-lesion": () => this.next(-1),
      confirm: () => this.confirm(null),
      "confirm-own": () => this.confirm("caliper"),
      reopen: withLesion((entry) => (entry.status === "confirmed" ? this.reopen() : this.refuse(`${entry.lesion} is not confirmed.`))),
      reject: withLesion((entry) => (entry.status === "proposal" ? model.change({ kind: "reject", lesion: entry.lesion }) : this.refuse("There is no proposal to reject."))),
      "other-state": withLesion((entry) => askState(model, entry)),
      "too-small": withLesion((entry) => this.state(entry.lesion, "too_small")),
      absent: withLesion((entry) => this.state(entry.lesion, "absent")),
      "not-evaluable": withLesion((entry) => this.state(entry.lesion, "not_assessed")),
      details: withLesion((entry) => askDetails(model, entry)),
      "new-lesion": () => (model.open ? this.newLesion() : undefined),
      undo: () => (model.read.can_undo ? model.undo() : this.refuse("Nothing to undo.")),
      redo: () => (model.read.can_redo ? model.redo() : this.refuse("Nothing to redo.")),
      sign: () => this.sign(),
    };
  }

  async confirm(accept: Accept | null): Promise<void> {
    const entry = this.lesion();
    if (entry === null || !this.model.open || entry.status === "confirmed") return;
    const chosen = accept ?? offered(entry);
    if (chosen === null) this.refuse(entry.mask?.seed_only === true ? "This mask was carried over: it says where, not how large. Prompt or measure the lesion." : "Nothing is measured yet: segment (S), use the caliper (C), or choose a state (O).");
    else await this.model.change({ kind: "confirm", lesion: entry.lesion, accept: chosen });
  }

  private state(lesion: string, state: string): unknown {
    const allowed = this.model.lesion(lesion)?.states ?? [];
    if (!allowed.includes(state)) this.refuse(`${lesion} cannot have this state here; O shows those it can.`);
    else return this.model.change({ kind: "state", lesion, state });
  }

  async setState(state: string): Promise<void> {
    const entry = this.lesion();
    if (entry !== null) await this.model.change({ kind: "state", lesion: entry.lesion, state });
  }

  async reopen(): Promise<void> {
    const entry = this.lesion();
    if (entry !== null) await this.model.change({ kind: "reopen", lesion: entry.lesion });
  }

  async remove(): Promise<void> {
    const entry = this.lesion();
    if (entry === null) return;
    const act = async (): Promise<void> => {
      await this.model.change({ kind: "remove_lesion", lesion: entry.lesion });
    };
    await openDialog({ title: `Remove ${entry.lesion}?`, body: [], submit: "Remove", danger: true, act });
  }

  private async newLesion(): Promise<void> {
    const before = new Set(this.model.read.lesions.map((each) => each.lesion));
    await askNewLesion(this.model, this.model.read.timepoint === "BASELINE");
    const added = this.model.read.lesions.find((each) => !before.has(each.lesion));
    if (added !== undefined) this.chosen = added.lesion;
    this.screen.render();
  }

  private async sign(): Promise<void> {
    const blocks = this.model.read.checks.filter((each) => each.blocks);
    if (!this.model.open) return;
    if (blocks.length > 0) this.refuse(`Before signing: ${blocks.map((each) => each.text).join("; ")}`);
    else await askSignature(this.model, this.screen.session);
  }

  async unlock(): Promise<void> {
    await askUnlock(this.model);
  }

  async readForm(): Promise<void> {
    await askRead(this.model);
  }

  async chooseFirst(): Promise<void> {
    const first = this.model.read.lesions.find((each) => each.status !== "confirmed") ?? this.model.read.lesions[0];
    if (first !== undefined) await this.choose(first.lesion);
  }

  private async next(by: 1 | -1): Promise<void> {
    const names = this.model.read.lesions.map((each) => each.lesion);
    const here = this.chosen === null ? (by > 0 ? -1 : 0) : names.indexOf(this.chosen);
    const next = names[(here + by + names.length) % names.length];
    if (next !== undefined) await this.choose(next);
  }

  async choose(lesion: string): Promise<void> {
    this.chosen = lesion;
    this.tools.clear();
    this.tools.started = null;
    this.screen.render();
    await during(this.jump());
  }

  private async jump(): Promise<void> {
    const entry = this.lesion();
    if (entry !== null) await this.imagery.jump(entry);
  }

  /** The tool at the cursor, by the keyboard. */
  private async drop(meaning: Meaning): Promise<void> {
    const { right } = this.stage;
    const why = whyNot(this, right);
    if (!this.tools.draws || why !== "") {
      this.refuse(why === "" ? "Choose a tool first: S, B, E or C." : why);
      return;
    }
    if (!right.main.ready) {
      this.refuse(ON_ITS_WAY);
      return;
    }
    const point = right.main.focus;
    const paired = (this.tools.tool === "segment" && this.tools.prompt !== "point") || this.tools.tool === "caliper";
    if (paired && this.tools.started === null) {
      this.tools.started = point;
      this.tools.hover(point);
      return;
    }
    const points = paired && this.tools.started !== null ? [this.tools.started, point] : [point];
    this.tools.started = null;
    await this.send(right.main, points, meaning);
  }

  draw(pane: Pane, points: readonly Vec3[], meaning: Meaning): void {
    void this.send(pane, points, meaning);
  }

  private async send(pane: Pane, points: readonly Vec3[], meaning: Meaning): Promise<void> {
    const entry = this.lesion();
    const change = entry === null ? null : this.tools.change(pane, entry, points, meaning);
    if (change !== null) await this.model.change(change);
    this.tools.clear();
    if (change?.kind === "caliper" && change.axis === "long" && entry?.nodal === true && entry.short_caliper === null) this.tools.axis = "short";
    this.screen.renderStage();
  }

  dragged(pane: Pane, handle: Handle, at: Vec3): void {
    const [entry, series_uid] = [this.lesion(), pane.view?.source.uid];
    if (entry === null || series_uid === undefined) return;
    const line_mm = [handle.fixed, at] as const;
    void this.model.change({ kind: "caliper", lesion: entry.lesion, series_uid, axis: handle.axis, line_mm }).then(() => {
      this.tools.clear();
      this.screen.redraw();
    });
  }

  /** An arrow key: it moves the cursor, or what the tool in hand would move by the mouse. */
  private async arrow(columns: number, rows: number): Promise<void> {
    const { tools, stage } = this;
    const { main } = stage.side(stage.active);
    if (!main.opened) return;
    if (tools.tool === "window") {
      if (main.window !== null) stage.dragWindow(main.window, 10 * columns, 10 * rows);
      return;
    }
    if (tools.tool === "pan") {
      const [from, to] = [main.toPoint(0, 0), main.toPoint(20 * columns, 20 * rows)];
      await stage.pan(stage.active, add(main.middle(), subtract(from, to)));
      return;
    }
    await this.step(columns, rows);
  }

  /** Escape: no tool in hand, and the keyboard back on the images. */
  private backToImages(): void {
    this.tools.choose("look");
    this.stage.root.focus();
  }

  private switchSide(): void {
    const { stage } = this;
    if (stage.left.timepoint === "") this.refuse("There is no earlier visit beside this one.");
    else stage.active = stage.active === "left" ? "right" : "left";
  }

  private async step(columns: number, rows: number): Promise<void> {
    const point = await this.imagery.step(columns, rows);
    if (point !== null) this.tools.hover(point);
  }

  private fillBetween(): unknown {
    const entry = this.lesion();
    const series_uid = entry?.mask?.series_uid;
    if (entry === null || series_uid === undefined) this.refuse("Fill between slices needs a mask drawn in two slices.");
    else return this.model.change({ kind: "edit_mask", lesion: entry.lesion, series_uid, operation: "fill_between" });
  }

  private nextRegion(): void {
    const here = document.activeElement?.closest("[data-region]")?.getAttribute("data-region") ?? "images";
    const from = REGIONS.indexOf(here as (typeof REGIONS)[number]);
    for (let n = 1; n <= REGIONS.length; n++) {
      const next = REGIONS[(from + n) % REGIONS.length] ?? "images";
      const region = this.screen.root.querySelector<HTMLElement>(`[data-region="${next}"]`);
      const inside = next === "images" ? region : region?.querySelector<HTMLElement>("button:not(:disabled), [tabindex='0']");
      if (inside === null || inside === undefined) continue; // nothing to work in this part
      inside.focus();
      return;
    }
  }
}
