// The card of the chosen lesion: what is proposed or drawn beside what was confirmed before, and what can be done with it.

import { h, key, replace } from "../../dom/h";
import type { LesionEntry, Read } from "../../api/types";
import { caliperMeasured, maskMeasured, offered, type Accept } from "../accept";
import { keyOf, type Command } from "../keymap";
import { currentCell, mm, openSize, percent, signedMm, stateWords } from "../words";

export interface CardActions {
  readonly run: (command: Command) => void;
  readonly confirm: (accept: Accept) => void;
  readonly state: (state: string) => void;
  readonly remove: () => void;
}

/** Where a lesion lies to the irradiated field by the plan. */
export interface Placed {
  readonly position: string;
  readonly said: string;
}

export function renderCard(root: HTMLElement, read: Read, entry: LesionEntry | null, placed: Placed | null, actions: CardActions): void {
  if (entry === null) {
    replace(root, h("p", { class: "hint" }, "No lesion is chosen. Tab chooses the next one."));
    return;
  }
  const title = h("h2", {}, `${entry.lesion} - ${heading(entry)}`);
  const parts = [title, h("p", { class: "hint" }, origin(entry)), numbers(read, entry), findings(entry), planned(entry, placed), noted(entry)];
  replace(root, parts, read.status === "draft" ? buttons(entry, actions) : null);
  root.dataset["status"] = entry.status;
}

function heading(entry: LesionEntry): string {
  if (entry.status === "confirmed") return `confirmed: ${stateWords(entry.state)}${entry.merged_into === "" ? "" : ` into ${entry.merged_into}`}`;
  if (entry.mask?.seed_only === true) return "carried over, only a place to look";
  return { todo: "to do", proposal: "proposal", drawn: "drawn, not yet confirmed", rejected: "proposal rejected" }[entry.status];
}

function origin(entry: LesionEntry): string {
  const { mask } = entry;
  if (mask === null) return entry.caliper === null ? `${entry.organ.toLowerCase()}, ${entry.role.toLowerCase()}` : "own caliper";
  const seconds = mask.seconds === null ? "" : ` / ${mask.seconds.toFixed(2)} s`;
  return `${mask.segmenter} / ${mask.origin}${seconds}`;
}

const line = (name: string, ...values: readonly string[]): HTMLElement => h("tr", {}, h("th", { scope: "row" }, name), values.map((value) => h("td", { class: "number", colspan: values.length === 1 ? 2 : undefined }, value)));

/** Both measurements side by side: the mask's and the reader's own. */
function sizes(entry: LesionEntry): HTMLElement[] {
  const found = entry.mask?.measurement;
  const [mask, own] = [maskMeasured(entry), entry.caliper !== null || entry.short_caliper !== null];
  if (!mask && !own) return [];
  const pair = (a: number | null | undefined, b: number | null | undefined): string[] => [...(mask ? [mm(a)] : []), ...(own ? [mm(b)] : [])];
  const names = [...(mask ? ["mask"] : []), ...(own ? ["own caliper"] : [])];
  const rows: HTMLElement[] = [h("tr", {}, h("td", {}), names.map((name) => h("th", { scope: "col", class: "number" }, name)))];
  rows.push(line("Longest diameter, mm", ...pair(found?.longest_diameter_mm, entry.caliper?.length_mm)));
  rows.push(line("Short axis, mm", ...pair(found?.short_axis_mm, entry.short_caliper?.length_mm)));
  if (mask && found !== undefined) rows.push(line("Volume, mL", found.volume_ml.toFixed(2), ...(own ? [""] : [])));
  return rows;
}

function numbers(read: Read, entry: LesionEntry): HTMLElement {
  const rows = sizes(entry);
  const uptake = entry.mask?.uptake ?? null;
  if (uptake !== null) rows.push(line("SUVmax / SUVpeak", `${mm(uptake.suv_max)} / ${mm(uptake.suv_peak)}`));
  const before = entry.earlier[0]?.size_mm ?? null;
  const now = entry.status === "confirmed" ? entry.size_mm : openSize(entry);
  if (before !== null && now !== null) rows.push(line("vs baseline", `${signedMm(now - before)} mm (${percent(before === 0 ? null : (100 * (now - before)) / before)})`));
  const response = read.answer.lesion_responses.find((each) => each.lesion === entry.lesion);
  if (response !== undefined) rows.push(line("Lesion response", response.response));
  if (rows.length === 0) rows.push(line("This visit", currentCell(entry)));
  return h("table", { class: "numbers" }, h("tbody", {}, rows));
}

function findings(entry: LesionEntry): HTMLElement | null {
  const all = [...entry.findings, ...(entry.mask?.measurement.findings ?? [])];
  const texts = [...new Set(all.map((each) => each.text))];
  return texts.length === 0 ? null : h("ul", { class: "findings" }, texts.map((each) => h("li", {}, each)));
}

/** The plan's word on the field; where the reader says otherwise, both are seen. */
function planned(entry: LesionEntry, placed: Placed | null): HTMLElement | null {
  if (placed === null) return null;
  const differs = entry.field !== null && entry.field !== placed.position;
  return h("p", { class: differs ? "warning" : "hint", "data-planned": placed.position }, `Irradiated field by the plan: ${placed.said}${differs ? `; you said: ${entry.field}` : ""}`);
}

function noted(entry: LesionEntry): HTMLElement | null {
  const said = [entry.field === null ? "" : `field: ${entry.field}`, entry.endoscopy === null ? "" : `endoscopy: ${entry.endoscopy}`, entry.comment].filter((each) => each !== "");
  return said.length === 0 ? null : h("p", { class: "hint" }, said.join(" / "));
}

const STATE_COMMANDS: Readonly<Record<string, Command>> = { too_small: "too-small", absent: "absent", not_assessed: "not-evaluable" };
const QUICK_WORDS: Readonly<Record<string, string>> = { too_small: "Too small", absent: "Absent", not_assessed: "Not evaluable" };

/** States of a target by one button; a lesion that is judged, not measured, has a button for each but the rare ones. */
const TARGET_QUICK: readonly string[] = ["too_small", "absent"];
const RARE: readonly string[] = ["measured", "not_imaged", "removed", "merged"];

/** What can be done: measured lesions are confirmed; the others (non-target, new) are given a state by one button each. */
function buttons(entry: LesionEntry, actions: CardActions): HTMLElement {
  const command = (name: Command, label: string, style = ""): HTMLElement => h("button", { class: style, "data-command": name, onclick: () => actions.run(name) }, `${label} `, key(keyOf(name)));
  const accept = offered(entry);
  const quick = entry.states.filter((state) => (entry.role === "TARGET" ? TARGET_QUICK.includes(state) : !RARE.includes(state)));
  const both = maskMeasured(entry) && caliperMeasured(entry) && accept === "proposal";
  if (entry.status === "confirmed") {
    return h("div", { class: "actions" }, command("reopen", "Reopen"), command("details", "Details"), entry.own ? h("button", { class: "danger", onclick: actions.remove }, "Remove") : null);
  }
  return h(
    "div",
    { class: "actions" },
    accept !== null ? command("confirm", accept === "caliper" ? "Confirm caliper" : "Confirm", "primary") : entry.states.includes("measured") ? command("segment", "Segment") : null,
    both ? h("button", { onclick: () => actions.confirm("caliper") }, "Confirm own caliper ", key("Shift+Enter")) : null,
    entry.status === "proposal" ? command("reject", "Reject", "danger") : null,
    quick.map((state) => {
      const name = STATE_COMMANDS[state];
      return name === undefined ? h("button", { "data-state": state, onclick: () => actions.state(state) }, stateWords(state)) : command(name, QUICK_WORDS[state] ?? stateWords(state));
    }),
    command("other-state", "Other state..."),
    command("details", "Details"),
    entry.own ? h("button", { class: "danger", onclick: actions.remove }, "Remove") : null,
  );
}
