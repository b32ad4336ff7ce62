// What lies over each side's image: on the right this read's masks, calipers and ghosts; on the left what was read then.

import type { Earlier, LesionEntry, Line } from "../api/types";
import { shownLines } from "./accept";
import type { ReadModel } from "./model";
import type { Field } from "./field";
import type { Drawing, Look } from "./overlay/drawing";
import type { Side } from "./side";
import type { Tools } from "./tools";
import { mm } from "./words";

export interface SceneParts {
  readonly model: ReadModel;
  readonly tools: Tools;
  readonly lesion: string | null;
  readonly ghosts: boolean;
  field(series_uid: string | undefined): Field | null;
  readonly ghostSeries: string | null; // whose space the ghosts are in
}

export function sceneOf(side: Side, parts: SceneParts): Drawing[] {
  const cross: Drawing = { kind: "cross", point: side.main.focus, strong: false };
  const field = parts.ghosts ? parts.field(side.volume?.uid) : null;
  const under = field === null ? [cross] : [cross, ...fieldDrawings(field)];
  return [...under, ...(side.name === "left" ? earlierScene(side, parts) : currentScene(parts))];
}

function currentScene(parts: SceneParts): Drawing[] {
  const { model, tools, lesion } = parts;
  const drawings: Drawing[] = [];
  for (const entry of model.read.lesions) {
    const mine = entry.lesion === lesion;
    if (mine && parts.ghosts) drawings.push(...ghostDrawings(entry, parts.ghostSeries));
    drawings.push(...entryDrawings(model, tools, entry, mine));
  }
  return [...drawings, ...tools.preview];
}

function fieldDrawings(field: Field): Drawing[] {
  const inside: Drawing = { kind: "mask", series_uid: field.series_uid, mask: field.inside, look: "field", label: "irradiated field" };
  if (field.margin === null) return [inside];
  const label = `its edge +/- ${mm(field.margin_mm)} mm`;
  return [{ kind: "mask", series_uid: field.series_uid, mask: field.margin, look: "margin", label }, inside];
}

function ghostDrawings(entry: LesionEntry, series_uid: string | null): Drawing[] {
  const { ghost } = entry;
  if (ghost === null) return [];
  const label = `${ghost.timepoint} caliper, carried over`;
  const line = (axis: "long" | "short", ends: Line, said: string): Drawing => ({ kind: "caliper", series_uid, axis, line: ends, look: "ghost", label: said, handles: false });
  return [line("long", [ghost.start_mm, ghost.end_mm], label), ...(ghost.short === null ? [] : [line("short", ghost.short, "")])];
}

export function lookOf(entry: LesionEntry): Look {
  if (entry.status === "confirmed") return "confirmed";
  return entry.status === "proposal" ? "proposal" : "drawn";
}

function entryDrawings(model: ReadModel, tools: Tools, entry: LesionEntry, mine: boolean): Drawing[] {
  if (entry.status === "rejected" || (entry.status === "confirmed" && entry.state !== "measured")) return [];
  const look = mine ? lookOf(entry) : "other";
  if (mine && tools.hidden === "mask") return [];
  const lines = shownLines(entry);
  const noted = lines.long !== null || lines.short !== null;
  const word = entry.mask?.seed_only === true ? "carried over: only a place to look" : look === "proposal" ? "proposal" : "";
  const mask = model.mask(entry.mask?.digest);
  const label = !mine ? entry.lesion : noted ? "" : word;
  const drawings: Drawing[] = mask === null || entry.mask === null ? [] : [{ kind: "mask", series_uid: entry.mask.series_uid, mask, look, label }];
  return mine ? [...drawings, ...lineDrawings(model, tools, entry, word)] : drawings;
}

function lineDrawings(model: ReadModel, tools: Tools, entry: LesionEntry, word: string): Drawing[] {
  const lines = shownLines(entry);
  const look = lookOf(entry);
  const drawings: Drawing[] = [];
  for (const axis of ["long", "short"] as const) {
    const line = lines[axis];
    if (line === null || tools.hidden === axis) continue;
    const label = axis === "long" ? [sizesSaid(entry, lines.own), word].filter((each) => each !== "").join("  ") : "";
    drawings.push({ kind: "caliper", series_uid: lines.series_uid, axis, line, look, label, handles: model.open && entry.status !== "confirmed" });
  }
  return drawings;
}

function sizesSaid(entry: LesionEntry, own: boolean): string {
  const [long, short] = own
    ? [entry.caliper?.length_mm, entry.short_caliper?.length_mm]
    : [entry.mask?.measurement.longest_diameter_mm, entry.mask?.measurement.short_axis_mm];
  const said = (name: string, value: number | null | undefined): string => (value === null || value === undefined ? "" : `${name} ${mm(value)}`);
  return [said("LD", long), said("SA", short)].filter((each) => each !== "").join(" / ");
}

function earlierScene(side: Side, parts: SceneParts): Drawing[] {
  const drawings: Drawing[] = [];
  for (const entry of parts.model.read.lesions) {
    const earlier = entry.earlier.find((each) => each.timepoint === side.timepoint);
    if (earlier !== undefined) drawings.push(...earlierDrawings(parts.model, entry, earlier, entry.lesion === parts.lesion));
  }
  return drawings;
}

function earlierDrawings(model: ReadModel, entry: LesionEntry, earlier: Earlier, mine: boolean): Drawing[] {
  const { series_uid } = earlier;
  if (series_uid === null) return [];
  const look: Look = mine ? "earlier" : "other";
  const mask = model.mask(earlier.mask_digest);
  const drawings: Drawing[] = mask === null ? [] : [{ kind: "mask", series_uid, mask, look, label: mine ? "" : entry.lesion }];
  if (!mine) return drawings;
  const line = (axis: "long" | "short", ends: Line | null, label: string): Drawing[] =>
    ends === null ? [] : [{ kind: "caliper", series_uid, axis, line: ends, look, label, handles: false }];
  const said = `LD ${mm(earlier.longest_diameter_mm)} / SA ${mm(earlier.short_axis_mm)}`;
  return [...drawings, ...line("long", earlier.caliper, said), ...line("short", earlier.short_caliper, "")];
}
