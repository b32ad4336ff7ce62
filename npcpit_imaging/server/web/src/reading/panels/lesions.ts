// The lesion table: every lesion, every earlier value of this reader, what it is worth now, and its change.

import { h, key, replace } from "../../dom/h";
import type { LesionEntry, Read } from "../../api/types";
import { currentCell, earlierCell, percent } from "../words";
import { keyOf } from "../keymap";

export interface LesionActions {
  readonly choose: (lesion: string) => void;
  readonly add: () => void;
}

export function renderLesions(root: HTMLElement, read: Read, chosen: string | null, actions: LesionActions): void {
  const earlier = read.timepoints.map((each) => each.name).slice(0, read.timepoints.findIndex((each) => each.name === read.timepoint));
  const head = h("tr", {}, ["ID", "Site", ...earlier, read.timepoint, "vs nadir"].map((name, n) => h("th", { scope: "col", class: n > 1 ? "number" : "" }, name)));
  const rows = read.lesions.map((entry) => row(entry, earlier, entry.lesion === chosen, actions));
  const add = h("button", { class: "row-button", onclick: actions.add, disabled: read.status !== "draft" }, "+ add a lesion ", key(keyOf("new-lesion")));
  replace(
    root,
    h("h2", {}, "Lesions ", h("span", { class: "hint", title: "Tab: next, Shift+Tab: previous; both sides jump" }, key("Tab"), " next")),
    h("table", { class: "lesions", role: "grid", "aria-label": "Lesions" }, h("thead", {}, head), h("tbody", {}, rows)),
    add,
  );
  root.querySelector("tr.chosen")?.scrollIntoView({ block: "nearest" });
}

function row(entry: LesionEntry, earlier: readonly string[], chosen: boolean, actions: LesionActions): HTMLElement {
  const done = entry.status === "confirmed";
  const change = done ? entry.change.nadir_percent : null;
  const site = entry.location.toLowerCase() + (entry.nodal ? " (SA)" : "");
  const kind = entry.parent !== "" ? `part of ${entry.parent}, ` : { TARGET: "", NEW: "new, ", "NON-TARGET": "non-target, " }[entry.role];
  return h(
    "tr",
    {
      class: `${chosen ? "chosen" : ""} ${entry.status}`,
      "data-lesion": entry.lesion,
      "aria-selected": String(chosen),
      tabindex: 0,
      onclick: () => actions.choose(entry.lesion),
      onkeydown: (event: KeyboardEvent) => {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          event.stopPropagation();
          actions.choose(entry.lesion);
        }
      },
    },
    h("th", { scope: "row" }, entry.lesion),
    h("td", { class: "site", title: `${site}, ${entry.role.toLowerCase()}, ${entry.organ.toLowerCase()}` }, kind === "" ? null : h("span", { class: "role" }, kind), site),
    earlier.map((name) => h("td", { class: "number" }, earlierCell(entry.earlier.find((each) => each.timepoint === name)))),
    h("td", { class: `number now ${done ? "done" : "open"}` }, currentCell(entry)),
    h("td", { class: `number ${tone(change)}` }, percent(change)),
  );
}

export const tone = (change: number | null): string => (change === null || Math.abs(change) < 0.5 ? "" : change > 0 ? "worse" : "better");
