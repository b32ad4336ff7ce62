// The frame of every screen but the reading screen: who is signed in, where one can go, and the way out.

import { ask } from "../api/client";
import type { Session } from "../api/types";
import { h, replace } from "../dom/h";

export interface Place {
  readonly hash: string;
  readonly name: string;
  readonly roles: readonly string[];
}

export const PLACES: readonly Place[] = [
  { hash: "#/worklist", name: "Worklist", roles: ["reader"] },
  { hash: "#/adjudications", name: "Adjudication", roles: ["adjudicator"] },
  { hash: "#/progress", name: "Progress", roles: ["coordinator", "administrator"] },
  { hash: "#/audit", name: "Audit", roles: ["auditor", "administrator"] },
];

export const placesOf = (session: Session): readonly Place[] => PLACES.filter((place) => place.roles.some((role) => session.roles.includes(role)));

export function frame(root: HTMLElement, session: Session, title: string, ...content: readonly (Node | null)[]): void {
  const out = async (): Promise<void> => {
    await ask("DELETE", "session");
    window.location.hash = "";
    window.location.reload();
  };
  const links = placesOf(session).map((place) => h("a", { href: place.hash, "aria-current": window.location.hash.startsWith(place.hash) ? "page" : undefined }, place.name));
  const bar = h("header", { class: "bar" }, h("strong", {}, session.study.title), h("nav", {}, links), h("span", { class: "spacer" }), h("span", {}, `${session.name} (${session.roles.join(", ")})`), h("button", { class: "chip", onclick: () => void out() }, "Sign out"));
  replace(root, bar, h("main", { class: "sheet" }, h("h1", {}, title), content));
}

export function table(columns: readonly string[], rows: readonly HTMLElement[], empty: string): HTMLElement {
  if (rows.length === 0) return h("p", { class: "hint" }, empty);
  return h("table", { class: "list" }, h("thead", {}, h("tr", {}, columns.map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, rows));
}

export const due = (date: string | null, overdue: boolean): HTMLElement => h("td", { class: overdue ? "overdue" : "" }, date === null ? "-" : date.slice(0, 10), overdue ? " overdue" : "");
