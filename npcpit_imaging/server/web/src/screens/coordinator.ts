// The coordinator's page: what has arrived, who reads what until when, and how far they are.

import { ask, get, post } from "../api/client";
import type { Session } from "../api/types";
import { field, openDialog, radios, select, text } from "../dom/dialog";
import { h } from "../dom/h";
import { frame, table } from "./frame";

interface Visit {
  readonly name: string;
  readonly expected: string | null;
  readonly received: string | null;
  readonly series: Readonly<Record<string, number>>;
  readonly complete: boolean;
  readonly overdue: boolean;
  readonly reads: readonly { readonly username: string; readonly status: string; readonly version: number; readonly due: string | null; readonly overdue: boolean }[];
}

interface Subject {
  readonly subject: string;
  readonly visits: readonly Visit[];
  readonly adjudication: string | null;
}

interface Assignment {
  readonly id: number;
  readonly subject: string;
  readonly timepoint: string | null;
  readonly username: string;
  readonly kind: string;
  readonly due: string | null;
}

export async function showProgress(root: HTMLElement, session: Session): Promise<void> {
  const [{ subjects }, found] = await Promise.all([get<{ subjects: Subject[] }>("coordinator/subjects"), get<{ assignments?: Assignment[] } | Assignment[]>("assignments")]);
  const assignments = Array.isArray(found) ? found : (found.assignments ?? []);
  const again = (): Promise<void> => showProgress(root, session);
  const mayAssign = session.roles.includes("coordinator");
  const rows = subjects.flatMap((each) => each.visits.map((visit, n) => visitRow(each, visit, n === 0)));
  const assign = h("button", { class: "primary", onclick: () => void askAssignment(subjects).then(again) }, "Assign a read...");
  const assigned = assignments.map((each) => assignmentRow(each, mayAssign, again));
  frame(
    root,
    session,
    "Progress",
    table(["Subject", "Visit", "Expected", "Received", "Series", "Reads", "Adjudication"], rows, "No subject yet."),
    h("h2", {}, "Assignments"),
    mayAssign ? h("p", {}, assign) : null,
    table(["Who", "Subject", "Time point", "As", "Due", ""], assigned, "Nobody reads anything yet."),
  );
}

function visitRow(subject: Subject, visit: Visit, first: boolean): HTMLElement {
  const series = Object.entries(visit.series).map(([name, many]) => `${many} ${name}`);
  const reads = visit.reads.map((each) => h("div", { class: each.overdue ? "overdue" : "" }, `${each.username}: ${each.status.replace("_", " ")}${each.version > 0 ? ` v${each.version}` : ""}${each.due === null ? "" : `, due ${each.due.slice(0, 10)}`}`));
  return h(
    "tr",
    { "data-item": `${subject.subject} ${visit.name}` },
    h("th", { scope: "row" }, first ? subject.subject : ""),
    h("td", {}, visit.name),
    h("td", { class: visit.overdue ? "overdue" : "" }, visit.expected ?? "-"),
    h("td", {}, visit.received ?? "not received"),
    h("td", {}, series.join(", "), visit.complete ? null : h("div", { class: "warning" }, "incomplete")),
    h("td", {}, reads.length === 0 ? "nobody" : reads),
    h("td", {}, first ? (subject.adjudication ?? "-") : ""),
  );
}

function assignmentRow(each: Assignment, mayAssign: boolean, again: () => Promise<void>): HTMLElement {
  const remove = (): void => {
    const act = async (): Promise<void> => ask("DELETE", `assignments/${each.id}`);
    const title = `Take ${each.subject} ${each.timepoint ?? ""} from ${each.username}?`;
    void openDialog({ title, body: [], submit: "Take away", danger: true, act }).then(again);
  };
  const cells = [each.username, each.subject, each.timepoint === null || each.timepoint === "" ? "every visit" : each.timepoint, each.kind, each.due?.slice(0, 10) ?? "-"].map((value) => h("td", {}, value));
  return h("tr", {}, cells, h("td", {}, mayAssign ? h("button", { onclick: remove }, "Take away...") : null));
}

function askAssignment(subjects: readonly Subject[]): Promise<boolean> {
  const visits = [...new Set(subjects.flatMap((each) => each.visits.map((visit) => visit.name)))];
  return openDialog({
    title: "Assign a read",
    body: [
      field("Subject", select("subject", subjects.map((each) => [each.subject, each.subject] as const))),
      field("Time point", select("timepoint", [["", "every visit"] as const, ...visits.map((name) => [name, name] as const)])),
      field("User name", h("input", { name: "username", required: true })),
      radios("kind", "As", [["reader", "reader"], ["adjudicator", "adjudicator"]], "reader"),
      field("Due", h("input", { name: "due", type: "date" })),
    ],
    submit: "Assign",
    act: async (form) => {
      const due = text(form, "due");
      await post("assignments", { subject: text(form, "subject"), timepoint: text(form, "timepoint"), username: text(form, "username"), kind: text(form, "kind"), due: due === "" ? null : due });
    },
  });
}
