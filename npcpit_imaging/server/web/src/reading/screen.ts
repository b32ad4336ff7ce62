// The reading screen: joins the read (model), the images (stage), the tools and the panels around them.

import { get, post } from "../api/client";
import type { KeyImage, LesionEntry, Link, Read, Session } from "../api/types";
import { during } from "../dom/busy";
import { h, replace } from "../dom/h";
import { startImaging } from "../image/cornerstone";
import { forgetVolumes } from "../image/volume";
import { presetsOf } from "../image/windows";
import { barActions, barState, hintOf } from "./bar";
import { choicesAt, Commands } from "./commands";
import { renderCorners } from "./corners";
import { pick, seriesOf } from "./choose";
import { Fields, placeOf, placeSaid } from "./field";
import { commandOf } from "./keymap";
import { ReadModel } from "./model";
import { paint } from "./overlay/paint";
import { renderCard } from "./panels/card";
import { renderChecks } from "./panels/checks";
import { renderLesions } from "./panels/lesions";
import { renderTimeline } from "./panels/timeline";
import { renderBar } from "./panels/topbar";
import { Pointer } from "./pointer";
import { sceneOf } from "./scene";
import type { Side } from "./side";
import { Stage } from "./stage";
import { Tools } from "./tools";
import { clock, day } from "./words";

const TICK_MS = 30_000;

export class ReadingScreen {
  readonly root = h("main", { class: "reading" });
  readonly stage: Stage;
  readonly tools = new Tools();
  readonly commands: Commands;
  private readonly fields: Fields;
  keyImages: readonly KeyImage[] | null = null;
  ghosts = true;
  private readonly bar = h("header", { class: "bar", "data-region": "bar" });
  private readonly lesions = h("section", { class: "panel lesions-panel", "aria-label": "Lesions", "data-region": "lesions" });
  private readonly card = h("section", { class: "panel card", "aria-label": "Chosen lesion", "data-region": "card" });
  private readonly timeline = h("section", { class: "panel timeline-panel", "aria-label": "Timeline" });
  private readonly checks = h("section", { class: "panel checks-panel", "aria-label": "Checks", "data-region": "checks" });
  private readonly note = h("div", { class: "note", role: "status", "aria-live": "polite", hidden: true });
  private readonly stops = new AbortController();
  private active = true;
  private activeAt = Date.now();
  private counted_s = 0; // since the server last said how long the read has taken
  private noteTimer = 0;

  constructor(
    readonly session: Session,
    readonly model: ReadModel,
    links: readonly Link[],
    readonly leave: () => void,
  ) {
    const series = model.read.timepoints.flatMap((each) => each.series);
    this.stage = new Stage(series, links, model.read, (side, pane) => this.paintSide(side, pane), () => this.renderStage());
    this.stage.root.setAttribute("data-region", "images");
    this.stage.root.tabIndex = 0;
    this.stage.root.setAttribute("aria-label", "Images. Tab: next lesion. F6: next part of the page. H: all keys.");
    this.fields = new Fields(model.path, (text) => this.say(text), () => this.render());
    this.commands = new Commands(this);
    replace(this.root, this.bar, this.stage.root, h("aside", {}, this.lesions, this.card), this.timeline, this.checks, this.note);
  }

  async start(): Promise<void> {
    const { webgl } = startImaging();
    for (const side of this.stage.sides) side.enable();
    new Pointer(this.commands);
    this.listen();
    this.model.onChange(() => this.render());
    this.render();
    if (!webgl) this.say("WebGL is missing in this browser: images are drawn by the processor.", 0);
    await this.openImages();
    await this.commands.chooseFirst();
  }

  private async openImages(): Promise<void> {
    const { read } = this.model;
    const before = read.timepoints[read.timepoints.findIndex((each) => each.name === read.timepoint) - 1];
    const first = read.timepoints[0];
    this.stage.left.timepoint = before === undefined ? "" : (first?.name ?? before.name);
    this.stage.right.timepoint = read.timepoint;
    const current = pick(seriesOf(read, read.timepoint), "CT");
    if (current === null) {
      this.stage.right.say("No series of this visit can be shown as a volume. See the findings of its series.");
      return;
    }
    this.stage.left.root.hidden = this.stage.left.timepoint === "";
    this.stage.root.classList.toggle("single", this.stage.left.timepoint === "");
    this.stage.resize();
    await Promise.all([this.commands.imagery.showSeries(this.stage.right, current.uid), this.commands.imagery.showTimepoint(this.stage.left.timepoint)]);
    await this.stage.go("right", this.stage.right.main.focus); // whichever side came first, the left one is linked now
  }

  /** The pictures that the server kept at signing, caliper burnt in. */
  private async openKeyImages(): Promise<void> {
    this.keyImages = [];
    try {
      this.keyImages = await get<KeyImage[]>(`${this.model.path}/key-images`);
      this.render();
    } catch (error) {
      this.say(error instanceof Error ? error.message : String(error));
    }
  }

  private listen(): void {
    const { signal } = this.stops;
    document.addEventListener("keydown", (event) => this.onKey(event), { signal });
    document.addEventListener("pointermove", () => this.isActive(), { signal });
    window.addEventListener("beforeunload", (event) => {
      if (this.model.unsaved > 0) event.preventDefault();
    }, { signal });
    const observer = new ResizeObserver(() => {
      this.stage.resize();
      this.redraw();
    });
    observer.observe(this.stage.root);
    const timers = [window.setInterval(() => void this.tick(), TICK_MS), window.setInterval(() => this.second(), 1000)];
    signal.addEventListener("abort", () => {
      observer.disconnect();
      for (const timer of timers) window.clearInterval(timer);
    });
  }

  private isActive(): void {
    this.active = true;
    this.activeAt = Date.now();
  }

  /** The clock goes on by seconds while somebody reads; the server's count, every half minute, is the record. */
  private second(): void {
    if (!this.model.open || document.hidden || Date.now() - this.activeAt > TICK_MS) return;
    this.counted_s += 1;
    const shown = this.bar.querySelector(".timer");
    if (shown !== null) shown.textContent = clock(this.seconds);
  }

  /** How long the read has taken, as far as the page knows. */
  get seconds(): number {
    return this.model.read.seconds + this.counted_s;
  }

  /** The read timer counts only while somebody is reading. */
  private async tick(): Promise<void> {
    if (!this.active || !this.model.open || document.hidden) return;
    this.active = false;
    try {
      const { seconds } = await post<{ seconds: number }>(`${this.model.path}/tick`);
      this.counted_s = 0;
      this.model.adopt({ ...this.model.read, seconds });
    } catch {
      this.active = true; // counted at the next tick
    }
  }

  private onKey(event: KeyboardEvent): void {
    this.isActive();
    const target = event.target instanceof HTMLElement ? event.target : null;
    if (target?.matches("input, textarea, select") === true || document.querySelector("dialog") !== null) return;
    const command = commandOf(event);
    if (command === null) return;
    const onButton = target?.closest("button, [tabindex='0']:not(.stage)") !== null && target !== null;
    if (onButton && ["Enter", " ", "Tab", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"].includes(event.key) && command !== "confirm-own") return;
    event.preventDefault();
    void this.commands.run(command, event.shiftKey);
  }

  close(): void {
    this.stops.abort();
    this.stage.disable();
    forgetVolumes();
  }

  /** A message for the reader; it goes by itself unless `seconds` is 0. */
  say(text: string, seconds = 8): void {
    this.note.textContent = text;
    this.note.hidden = text === "";
    window.clearTimeout(this.noteTimer);
    if (seconds > 0) this.noteTimer = window.setTimeout(() => (this.note.hidden = true), 1000 * seconds);
  }

  redraw(): void {
    for (const side of this.stage.sides) for (const pane of side.panes) this.paintSide(side, pane);
  }

  private paintSide(side: Side, pane: Side["main"]): void {
    if (pane.ready) pane.root.dataset["placing"] = pane.planeToCanvas().join(","); // where its columns and rows lie on the screen, for tests
    paint(pane, sceneOf(side, this.parts));
  }

  private get parts(): Parameters<typeof sceneOf>[1] {
    const { model, tools, ghosts } = this;
    const diagnostic = pick(seriesOf(model.read, model.read.timepoint), "CT");
    return { model, tools, lesion: this.commands.chosen, ghosts, field: (uid) => this.fields.on(uid), ghostSeries: diagnostic?.uid ?? null };
  }

  render(): void {
    const { read } = this.model;
    const entry = this.model.lesion(this.commands.chosen);
    renderLesions(this.lesions, read, this.commands.chosen, { choose: (name) => void this.commands.choose(name), add: () => void this.commands.run("new-lesion") });
    renderCard(this.card, read, entry, this.placed(entry), {
      run: (command) => void this.commands.run(command),
      confirm: (accept) => void this.commands.confirm(accept),
      state: (state) => void this.commands.setState(state),
      remove: () => void this.commands.remove(),
    });
    renderTimeline(this.timeline, read);
    if (read.status === "draft") this.keyImages = null; // another version has pictures of its own
    else if (this.keyImages === null) void this.openKeyImages();
    renderChecks(this.checks, read, read.status === "signed" ? (this.keyImages ?? []) : [], {
      choose: (name) => void this.commands.choose(name),
      sign: () => void this.commands.run("sign"),
      unlock: () => void this.commands.unlock(),
      readForm: () => void this.commands.readForm(),
    });
    if (this.model.problem !== "") this.say(this.model.problem, 20);
    this.root.dataset["revision"] = String(read.revision);
    this.root.dataset["saving"] = this.model.saving;
    this.renderStage();
  }

  /** Where the chosen lesion lies to the irradiated field by the plan, in words; null when that is not known. */
  private placed(entry: LesionEntry | null): { position: string; said: string } | null {
    const { volume } = this.stage.right;
    const field = this.fields.on(volume?.uid);
    if (entry === null || volume === null || field === null) return null;
    const found = placeOf(entry, this.model.mask(entry.mask?.digest), field, volume);
    return found === null ? null : { position: found.position, said: placeSaid(found, field.margin_mm) };
  }

  renderStage(): void {
    const { stage, commands } = this;
    renderBar(this.bar, this.session, this.model, barState(this), barActions(this));
    for (const side of stage.sides) {
      side.root.classList.toggle("active", side.name === stage.active && stage.left.timepoint !== "");
      const visit = this.model.read.timepoints.find((each) => each.name === side.timepoint);
      renderCorners({
        side,
        stage,
        date: day(visit?.date),
        entry: this.model.lesion(commands.chosen),
        hint: hintOf(commands, side),
        choices: choicesAt(this.model.read, side.timepoint),
        choose: (uid) => void during(commands.imagery.showSeries(side, uid)),
      });
    }
    this.redraw();
  }

  /** Names of the window presets of what is shown, and which is on. */
  windows(): { name: string; on: boolean }[] {
    const { volume, main } = this.stage.right;
    if (volume === null) return [];
    return presetsOf(volume.geometry)
      .slice(0, 4)
      .map((each) => ({ name: each.name, on: main.window?.name === each.name }));
  }
}

/** Open a time point: its read, its links, then the screen. */
export async function openReading(session: Session, subject: string, timepoint: string, leave: () => void): Promise<ReadingScreen> {
  const place = `${encodeURIComponent(subject)}/${encodeURIComponent(timepoint)}`;
  const [read, found] = await Promise.all([get<Read>(`reads/${place}`), get<{ links: Link[] }>(`links/${place}`)]);
  return new ReadingScreen(session, new ReadModel(read), found.links, leave);
}
