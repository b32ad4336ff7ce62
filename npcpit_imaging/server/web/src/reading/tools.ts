// The tools of the reader's hand: what a stroke on the image means. A stroke is shown while it is drawn, and becomes one
// change (one undo step) when it ends.

import type { Change, LesionEntry, Prompt } from "../api/types";
import { middle as between, distance, type Vec3 } from "../image/vector";
import type { Pane } from "../image/pane";
import { BRUSH_RADII_MM, stroke } from "../mask/brush";
import { EMPTY } from "../mask/bits";
import type { ReadModel } from "./model";
import type { Drawing } from "./overlay/drawing";
import { shownLines } from "./accept";

export type ToolName = "look" | "segment" | "brush" | "erase" | "caliper" | "window" | "pan";
export type PromptKind = Prompt["kind"];
export type Axis = "long" | "short";

const PROMPTS: readonly PromptKind[] = ["line", "box", "point", "scribble"];

/** How a stroke was meant: Shift adds to what is there, Ctrl takes away. */
export interface Meaning {
  readonly add: boolean;
  readonly exclude: boolean;
}

export const PLAIN: Meaning = { add: false, exclude: false };
export const ADD: Meaning = { add: true, exclude: false };
export const NOT: Meaning = { add: false, exclude: true };

export interface Handle {
  readonly axis: Axis;
  readonly fixed: Vec3; // the other end
}

export class Tools {
  tool: ToolName = "look";
  prompt: PromptKind = "line";
  axis: Axis = "long";
  radius = 3; // of BRUSH_RADII_MM
  preview: Drawing[] = [];
  hidden: "" | "mask" | Axis = ""; // what the preview stands in for
  started: Vec3 | null = null; // first end of a line set by the keyboard

  get radius_mm(): number {
    return BRUSH_RADII_MM[this.radius] ?? 3;
  }

  choose(tool: ToolName): void {
    if (tool === "segment" && this.tool === "segment") this.prompt = PROMPTS[(PROMPTS.indexOf(this.prompt) + 1) % PROMPTS.length] ?? "line";
    if (tool === "caliper") this.axis = this.tool === "caliper" && this.axis === "long" ? "short" : "long";
    this.tool = tool;
    this.clear();
    this.started = null;
  }

  resize(by: 1 | -1): void {
    this.radius = Math.min(Math.max(this.radius + by, 0), BRUSH_RADII_MM.length - 1);
  }

  clear(): void {
    this.preview = [];
    this.hidden = "";
  }

  get draws(): boolean {
    return this.tool === "segment" || this.tool === "brush" || this.tool === "erase" || this.tool === "caliper";
  }

  /** The end of a shown caliper near a place on the pane. */
  handleAt(pane: Pane, entry: LesionEntry, x: number, y: number): Handle | null {
    const shown = shownLines(entry);
    if (pane.view?.source.uid !== shown.series_uid) return null;
    for (const axis of ["long", "short"] as const) {
      const line = shown[axis];
      if (line === null || !line.every((end) => pane.shows(end))) continue;
      for (const [end, fixed] of [line, [line[1], line[0]] as const]) {
        const [u, v] = pane.toCanvas(end);
        if (Math.hypot(u - x, v - y) <= 9) return { axis, fixed };
      }
    }
    return null;
  }

  showHandle(pane: Pane, handle: Handle, at: Vec3): void {
    const length = `${handle.axis === "long" ? "LD" : "SA"} ${distance(handle.fixed, at).toFixed(1)} mm`;
    this.hidden = handle.axis;
    this.preview = [{ kind: "caliper", series_uid: pane.view?.source.uid ?? null, axis: handle.axis, line: [handle.fixed, at], look: "drawn", label: length, handles: true }];
  }

  /** Show a stroke that is under way. */
  show(pane: Pane, model: ReadModel, entry: LesionEntry, points: readonly Vec3[]): void {
    const [first, last] = [points[0], points.at(-1)];
    const view = pane.view;
    if (first === undefined || last === undefined || view === null) return;
    if (this.tool === "brush" || this.tool === "erase") {
      const before = entry.mask?.series_uid === view.source.uid ? (model.mask(entry.mask.digest) ?? EMPTY) : EMPTY;
      const mask = stroke(before, view.grid, points, pane.plane, this.radius_mm, this.tool === "erase");
      const disc: Drawing = { kind: "disc", point: last, radius_mm: this.radius_mm, erase: this.tool === "erase" };
      this.hidden = "mask";
      this.preview = [{ kind: "mask", series_uid: view.source.uid, mask, look: "drawn", label: "" }, disc];
    } else if (this.tool === "caliper") {
      this.showHandle(pane, { axis: this.axis, fixed: first }, last);
    } else {
      const label = this.prompt === "line" ? `${distance(first, last).toFixed(1)} mm` : "";
      const shown = this.prompt === "scribble" ? points : [first, last];
      this.preview = [{ kind: "gesture", shape: this.prompt, points: shown, label }];
    }
  }

  hover(point: Vec3): void {
    if (this.tool === "brush" || this.tool === "erase") this.preview = [{ kind: "disc", point, radius_mm: this.radius_mm, erase: this.tool === "erase" }];
    else if (this.started !== null) this.preview = [{ kind: "gesture", shape: this.tool === "segment" ? this.prompt : "line", points: [this.started, point], label: `${distance(this.started, point).toFixed(1)} mm` }];
    else this.preview = [];
  }

  /** The change that a finished stroke asks for; null when it was too short to mean one. */
  change(pane: Pane, entry: LesionEntry, points: readonly Vec3[], meaning: Meaning): Change | null {
    const [first, last] = [points[0], points.at(-1)];
    const series_uid = pane.view?.source.uid;
    if (first === undefined || last === undefined || series_uid === undefined) return null;
    const { lesion } = entry;
    const short = points.every((each) => distance(first, each) < 3 * pane.pixel_mm); // a closed scribble is none
    if (this.tool === "brush" || this.tool === "erase") {
      return { kind: "edit_mask", lesion, series_uid, operation: this.tool, points_mm: dense(points, this.radius_mm / 2), radius_mm: this.radius_mm, in_slice: true };
    }
    if (this.tool === "caliper") return short ? null : { kind: "caliper", lesion, series_uid, axis: this.axis, line_mm: [first, last] };
    return { kind: "prompt", lesion, series_uid, prompts: this.prompts(entry, points, short, meaning), refine: meaning.add || meaning.exclude };
  }

  private prompts(entry: LesionEntry, points: readonly Vec3[], short: boolean, meaning: Meaning): Prompt[] {
    const [first, last] = [points[0], points.at(-1)];
    if (first === undefined || last === undefined) return [];
    const positive = !meaning.exclude;
    if (this.prompt === "point" || short) return [{ kind: "point", points_mm: [first], positive }];
    if (this.prompt === "scribble") return [{ kind: "scribble", points_mm: points, positive }];
    const drawn: Prompt = { kind: this.prompt, points_mm: [first, last], positive };
    const before = entry.caliper;
    if (this.prompt === "line" && meaning.add && before !== null) return [{ kind: "line", points_mm: [before.start_mm, before.end_mm], positive: true }, drawn];
    return [drawn];
  }
}

/** Points no further apart than a step. */
export function dense(points: readonly Vec3[], step_mm: number): Vec3[] {
  const all: Vec3[] = [];
  for (const point of points) {
    const before = all.at(-1);
    if (before !== undefined) all.push(...filled(before, point, step_mm));
    all.push(point);
  }
  return all;
}

function filled(from: Vec3, to: Vec3, step_mm: number): Vec3[] {
  if (distance(from, to) <= step_mm) return [];
  const half = between(from, to);
  return [...filled(from, half, step_mm), half, ...filled(half, to, step_mm)];
}
