// The audit trail: who did what and when, newest first, and whether the chain holds.

import { get } from "../api/client";
import type { Session } from "../api/types";
import { h } from "../dom/h";
import { frame, table } from "./frame";

type Row = Readonly<Record<string, unknown>>;

export async function showAudit(root: HTMLElement, session: Session): Promise<void> {
  const found = await get<{ events: Row[] }>("audit?limit=1000");
  const rows = [...found.events].reverse();
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((name) => !/hash|digest|previous/.test(name));
  const lines = rows.map((row) => h("tr", {}, columns.map((name) => h("td", {}, shown(row[name])))));
  const verdict = h("p", { role: "status", "data-audit": "verdict" }, "The chain has not been verified yet.");
  const verify = h("button", { class: "primary", onclick: () => void get<Row>("audit/verify").then((answer) => (verdict.textContent = shown(answer))) }, "Verify the chain");
  frame(root, session, "Audit trail", h("p", {}, verify), verdict, table(columns, lines, "Nothing yet."));
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return String(value);
  return JSON.stringify(value);
}
