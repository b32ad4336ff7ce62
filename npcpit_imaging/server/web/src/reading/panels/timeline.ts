// The timeline: sums, changes and responses of every time point so far, and the rule that fired at this one.

import { h, replace } from "../../dom/h";
import type { Answer, Read, TimelineRow } from "../../api/types";
import { mm, moment, percent, signedMm } from "../words";
import { tone } from "./lesions";

const COLUMNS = ["Time point", "Sum of diameters", "vs baseline", "vs nadir", "Target", "Non-target", "New", "Overall", "Signed"] as const;

export function renderTimeline(root: HTMLElement, read: Read): void {
  const { answer } = read;
  const rows = answer.timeline.map((each) => row(each, answer));
  replace(
    root,
    h("h2", {}, "Timeline"),
    h("table", { class: "timeline" }, h("thead", {}, h("tr", {}, COLUMNS.map((name, n) => h("th", { scope: "col", class: n > 0 ? "number" : "" }, name)))), h("tbody", {}, rows)),
    rule(answer),
    treatments(read),
  );
}

function row(each: TimelineRow, answer: Answer): HTMLElement {
  const nadir = each.change_nadir_mm === null ? "-" : `${signedMm(each.change_nadir_mm)} mm (${percent(each.change_nadir_percent)})`;
  const draft = each.draft ? " (draft)" : "";
  const number = (text: string, style = ""): HTMLElement => h("td", { class: `number ${style}` }, text);
  return h(
    "tr",
    { class: each.draft ? "chosen" : "", "data-timepoint": each.timepoint },
    h("th", { scope: "row" }, `${each.timepoint}${draft} `, h("span", { class: "hint" }, each.date ?? "")),
    number(sumSaid(each, answer)),
    number(percent(each.change_percent), tone(each.change_percent)),
    number(nadir, tone(each.change_nadir_percent)),
    number(each.target ?? "-"),
    number(each.non_target ?? "-"),
    number(newSaid(each.new)),
    number(each.overall ?? "-", "overall"),
    number(each.signed === null ? (each.draft ? "not signed" : "-") : moment(each.signed)),
  );
}

/** An incomplete sum is said as incomplete: what is known, and what is missing. */
function sumSaid(each: TimelineRow, answer: Answer): string {
  if (each.sum_complete) return mm(each.sum_mm);
  if (!each.draft) return each.sum_mm === null ? "incomplete" : `${mm(each.sum_mm)} (incomplete)`;
  if (answer.missing.length === 0) return "incomplete";
  const missing = answer.missing.join(" + ");
  return answer.sum_assessed_mm === null ? `missing ${missing}` : `${mm(answer.sum_assessed_mm)} + ${missing}`;
}

const newSaid = (answer: string | null): string => ({ Y: "yes", N: "no", EQUIVOCAL: "equivocal" })[answer ?? ""] ?? "-";

function rule(answer: Answer): HTMLElement {
  if (answer.problem !== "") return h("p", { class: "rule warning" }, answer.problem);
  const rules = [answer.rule, answer.target_rule, answer.non_target_rule].filter((each): each is string => each !== null && each !== "");
  const irecist = answer.irecist === null ? null : h("span", { class: "hint" }, `iRECIST ${answer.irecist}`);
  return h("p", { class: "rule" }, [...new Set(rules)].map((each) => h("span", {}, each)), irecist);
}

function treatments(read: Read): HTMLElement | null {
  if (read.treatments.length === 0) return null;
  const said = read.treatments.map((each) => `cycle ${each.cycle} ${each.date} (${each.lesion})`);
  return h("p", { class: "hint" }, `Treatment: ${said.join(", ")}`);
}
