// The words in the corners of each image: what it is, what was measured on it, where it stands, and how it is linked.

import type { LesionEntry, SeriesLine } from "../api/types";
import { said as windowSaid } from "../image/windows";
import { h, replace } from "../dom/h";
import type { Side } from "./side";
import type { Stage } from "./stage";
import { cell, mm, stateWords } from "./words";

export interface CornerParts {
  readonly side: Side;
  readonly stage: Stage;
  readonly date: string;
  readonly entry: LesionEntry | null;
  readonly hint: string;
  readonly choices: readonly SeriesLine[];
  choose(uid: string): void;
}

export function renderCorners(parts: CornerParts): void {
  const { side, entry } = parts;
  const { volume, main } = side;
  const { topLeft, topRight, bottomLeft, bottomRight } = side.corners;
  if (volume === null || main.view === null) {
    // Nothing is shown: no size or number of what was shown before may stay over it.
    replace(topLeft, h("div", { class: "what" }, `${side.timepoint} ${parts.date}`));
    for (const each of [topRight, bottomLeft, bottomRight]) replace(each);
    return;
  }
  const slices = main.view.grid.size[2];
  const up = main.view.grid.axes[2][2] >= 0;
  const shown = up ? slices - main.plane : main.plane + 1; // counted from the head, as a reader scrolls
  replace(topLeft, h("div", { class: "what" }, `${side.timepoint} ${parts.date}`), picker(parts), entry === null ? null : h("div", {}, lesionSaid(side, entry)));
  replace(topRight, h("div", {}, `Im ${shown}/${slices}`), h("div", {}, `${mm(main.view.grid.spacing_mm[2])} mm slices`), unit(parts));
  replace(bottomLeft, h("span", {}, main.window === null ? "" : windowSaid(main.window, volume.geometry.unit)));
  replace(bottomRight, parts.hint);
}

function picker(parts: CornerParts): HTMLElement {
  const chosen = parts.side.volume?.uid;
  const name = (each: SeriesLine): string => `${each.modality === "PT" ? "PET" : each.modality} ${each.description}`.trim();
  const options = parts.choices.map((each) => h("option", { value: each.uid, selected: each.uid === chosen }, name(each)));
  const select = h("select", { class: "series", "aria-label": `Series of ${parts.side.timepoint}` }, options);
  select.addEventListener("change", () => parts.choose(select.value));
  select.addEventListener("keydown", (event) => event.stopPropagation());
  return select;
}

function lesionSaid(side: Side, entry: LesionEntry): string {
  const earlier = entry.earlier.find((each) => each.timepoint === side.timepoint);
  const site = `${entry.lesion} ${entry.location.toLowerCase()}`;
  if (side.name === "left") {
    if (earlier === undefined) return `${site}: not read then`;
    if (earlier.state !== "measured") return `${site}: ${cell(earlier.state, earlier.size_mm)} (signed)`;
    return `${site}  LD ${mm(earlier.longest_diameter_mm)}  SA ${mm(earlier.short_axis_mm)} mm (signed)`;
  }
  if (entry.status !== "confirmed") return `${site}: ${entry.status === "todo" ? "to do" : entry.status}`;
  const sizes = entry.state === "measured" ? `LD ${mm(entry.longest_diameter_mm)}  SA ${mm(entry.short_axis_mm)} mm` : stateWords(entry.state);
  return `${site}  ${sizes} (confirmed)`;
}

function unit(parts: CornerParts): HTMLElement | null {
  const { volume, name } = parts.side;
  if (volume === null) return null;
  const doubts = volume.geometry.findings.map((each) => each.text).join("\n");
  const offset = name === "right" && parts.stage.offset_mm !== null && parts.stage.offset_mm > 1 ? `off the link by ${parts.stage.offset_mm.toFixed(0)} mm` : "";
  const plain = volume.geometry.unit === "BQML" ? "Bq/mL: no SUV" : volume.geometry.unit === "SUVbw" ? "SUVbw" : "";
  return h("div", {}, h("div", {}, plain), h("div", { class: "warning" }, offset), doubts === "" ? null : h("div", { class: "warning", title: doubts }, "findings"));
}
