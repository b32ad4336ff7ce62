// Adjudication: two whole reads side by side, without names; one is picked, with a cause from the study's list.

import { get, post } from "../api/client";
import type { Session, TimelineRow } from "../api/types";
import { field, openDialog, radios, select, text } from "../dom/dialog";
import { h } from "../dom/h";
import { mm, moment, percent } from "../reading/words";
import { due, frame, table } from "./frame";

interface Item {
  readonly subject: string;
  readonly status: string;
  readonly due: string | null;
  readonly overdue: boolean;
}

interface ReadSide {
  readonly label: string;
  readonly timepoints: readonly TimelineRow[];
  readonly best: { readonly bor: string; readonly bor_rule: string } | null;
}

interface Case {
  readonly subject: string;
  readonly revision: string;
  readonly reads: readonly ReadSide[];
  readonly discordance: readonly string[];
  readonly causes: readonly string[];
  readonly statement: string;
  readonly decision: { readonly chosen: string; readonly cause: string; readonly comment: string; readonly signed: string | null } | null;
}

export async function showAdjudications(root: HTMLElement, session: Session): Promise<void> {
  const { items } = await get<{ items: Item[] }>("adjudications");
  const rows = items.map((each) => {
    const address = `#/adjudications/${encodeURIComponent(each.subject)}`;
    const open = each.status === "open" || each.status === "decided" || each.status === "stale";
    return h("tr", { "data-item": each.subject }, h("th", { scope: "row" }, each.subject), h("td", {}, each.status), due(each.due, each.overdue), h("td", {}, open ? h("a", { class: "button", href: address }, each.status === "open" ? "Decide" : "Look") : null));
  });
  frame(root, session, "Adjudication", table(["Subject", "Status", "Due", ""], rows, "Nothing to adjudicate."));
}

export async function showAdjudication(root: HTMLElement, session: Session, subject: string): Promise<void> {
  const found = await get<Case>(`adjudications/${encodeURIComponent(subject)}`);
  const again = (): Promise<void> => showAdjudication(root, session, subject);
  const decide = h("button", { class: "primary", "data-command": "decide", onclick: () => void askDecision(found, session).then(again) }, found.decision === null ? "Pick a read..." : "Decide again...");
  frame(
    root,
    session,
    `Adjudication of ${subject}`,
    h("ul", { class: "discordance" }, found.discordance.map((each) => h("li", {}, each))),
    h("div", { class: "pair" }, found.reads.map((read) => readColumn(read, found.decision?.chosen === read.label))),
    decision(found),
    found.reads.length === 0 ? h("p", { class: "hint" }, "Both readers have not signed every visit yet: nothing is shown before.") : h("p", {}, decide),
  );
}

function decision(found: Case): HTMLElement | null {
  if (found.decision === null) return null;
  const { chosen, cause, comment, signed } = found.decision;
  return h("p", { class: "decision", role: "status" }, h("b", {}, `Read ${chosen} was picked. `), `Cause: ${cause}. ${comment} `, h("span", { class: "hint" }, `signed ${moment(signed)} UTC`));
}

function readColumn(read: ReadSide, chosen: boolean): HTMLElement {
  const rows = read.timepoints.map((each) =>
    h("tr", {}, h("th", { scope: "row" }, each.timepoint), [mm(each.sum_mm), percent(each.change_percent), each.target ?? "-", each.non_target ?? "-", each.new ?? "-", each.overall ?? "-"].map((value) => h("td", { class: "number" }, value))),
  );
  const rules = read.timepoints.map((each) => h("p", { class: "hint" }, `${each.timepoint}: ${each.rule}`));
  return h(
    "section",
    { class: chosen ? "read-column chosen" : "read-column", "data-read": read.label },
    h("h2", {}, `Read ${read.label}`, read.best === null ? "" : ` - best response ${read.best.bor}`),
    table(["Time point", "Sum", "vs baseline", "Target", "Non-target", "New", "Overall"], rows, "No time point."),
    rules,
  );
}

function askDecision(found: Case, session: Session): Promise<boolean> {
  const again = found.decision !== null;
  return openDialog({
    title: `Adjudicate ${found.subject}`,
    body: [
      h("p", {}, found.statement),
      radios("chosen", "The read that stands, whole", found.reads.map((each) => [each.label, `Read ${each.label}`] as const)),
      field("Cause of the discordance", select("cause", found.causes.map((each) => [each, each] as const))),
      field("Comment", h("textarea", { name: "comment", rows: 2, maxlength: 2000 })),
      again ? field("Reason of the new decision", h("input", { name: "reason", required: true })) : "",
      session.method === "password" ? field("Password", h("input", { name: "password", type: "password", required: true, autocomplete: "current-password" })) : "",
    ],
    submit: "Sign this decision",
    act: async (form) => {
      const password = session.method === "password" ? { password: text(form, "password") } : {};
      await post(`adjudications/${encodeURIComponent(found.subject)}`, {
        revision: found.revision, chosen: text(form, "chosen"), cause: text(form, "cause"), comment: text(form, "comment"), reason: text(form, "reason"), meaning: "adjudicated", ...password,
      }); // prettier-ignore
    },
  });
}
