// A reader's worklist: what is assigned, in progress and signed, with due dates; later visits stay locked.

import { get } from "../api/client";
import type { Session, WorkItem } from "../api/types";
import { h } from "../dom/h";
import { moment } from "../reading/words";
import { due, frame, table } from "./frame";

const GROUPS: readonly (readonly [string, readonly WorkItem["status"][]])[] = [
  ["To read", ["in_progress", "open"]],
  ["Later", ["locked", "not_received"]],
  ["Signed", ["signed"]],
];

const WORDS: Readonly<Record<WorkItem["status"], string>> = { open: "open", in_progress: "in progress", signed: "signed", locked: "locked", not_received: "not received" };

export async function showWorklist(root: HTMLElement, session: Session): Promise<void> {
  const { items } = await get<{ items: WorkItem[] }>("worklist");
  const groups = GROUPS.map(([name, statuses]) => {
    const found = items.filter((each) => statuses.includes(each.status));
    return h("section", { "data-group": name }, h("h2", {}, `${name} (${found.length})`), table(["Subject", "Time point", "Date", "Status", "Due", ""], found.map(row), "Nothing."));
  });
  frame(root, session, "Worklist", ...groups);
}

function row(item: WorkItem): HTMLElement {
  const address = `#/read/${encodeURIComponent(item.subject)}/${encodeURIComponent(item.timepoint)}`;
  const openable = item.status === "open" || item.status === "in_progress" || item.status === "signed";
  const said = item.status === "signed" ? `signed ${moment(item.signed)}, version ${item.version}` : item.status === "locked" ? item.locked_because : WORDS[item.status];
  const stale = item.stale.length === 0 ? null : h("div", { class: "warning" }, item.stale.join("; "));
  const label = item.status === "signed" ? "Look" : item.status === "in_progress" ? "Go on" : "Read";
  return h(
    "tr",
    { "data-item": `${item.subject} ${item.timepoint}`, class: item.status },
    h("th", { scope: "row" }, item.subject),
    h("td", {}, item.timepoint),
    h("td", {}, item.date.slice(0, 10)),
    h("td", {}, said, stale),
    due(item.due, item.overdue && item.status !== "signed"),
    h("td", {}, openable ? h("a", { class: "button", href: address }, label) : null),
  );
}
