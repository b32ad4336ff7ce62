// The bar above the images: whose read it is, which visits there are, what is shown and how, and whether all is saved.

import { h, key, replace } from "../../dom/h";
import type { Read, Session } from "../../api/types";
import type { ReadModel } from "../model";
import { keyOf, type Command } from "../keymap";
import { clock } from "../words";

export interface BarState {
  readonly modality: string;
  readonly modalities: readonly string[];
  readonly windows: readonly { readonly name: string; readonly on: boolean }[];
  readonly link: { readonly text: string; readonly on: boolean; readonly warning: boolean; readonly title: string };
  readonly fusion: { readonly on: boolean; readonly opacity: number; readonly text: string; readonly warning: boolean };
  readonly mpr: boolean;
  readonly compare: string;
  readonly seconds: number; // of reading
}

export interface BarActions {
  readonly run: (command: Command) => void;
  readonly modality: (name: string) => void;
  readonly compare: (timepoint: string) => void;
  readonly opacity: (value: number) => void;
  readonly leave: () => void;
  readonly retry: () => void;
}

export function renderBar(root: HTMLElement, session: Session, model: ReadModel, state: BarState, actions: BarActions): void {
  const { read } = model;
  const toggle = (command: Command, label: string, on: boolean): HTMLElement =>
    h("button", { class: "chip", "aria-pressed": String(on), "data-command": command, onclick: () => actions.run(command) }, `${label} `, key(keyOf(command)));
  const { link } = state;
  replace(
    root,
    h("button", { class: "chip", onclick: actions.leave, title: "Back to the worklist", "aria-label": "Back to the worklist" }, "\u2190"),
    h("strong", { class: "who", title: `${session.name} (${session.username})` }, session.name),
    h("span", { class: "chip plain" }, read.subject),
    visits(read, state, actions),
    modalities(state, actions),
    h("span", { class: "chip group", role: "group", "aria-label": "Window" }, state.windows.map((each, n) => h("button", { class: each.on ? "on" : "", title: `window ${each.name}`, "aria-label": each.name, "aria-pressed": String(each.on), onclick: () => actions.run(`window-${String(n + 1)}` as Command) }, each.on ? `${each.name} ` : "", key(String(n + 1))))),
    h("button", { class: `chip ${link.warning ? "warning" : ""}`, "aria-pressed": String(link.on), title: link.title, "data-command": "link", onclick: () => actions.run("link") }, `${link.text} `, key(keyOf("link"))),
    toggle("mpr", "MPR", state.mpr),
    toggle("fusion", "Fusion", state.fusion.on),
    state.fusion.on ? slider(state, actions) : null,
    h("span", { class: "spacer" }),
    h("span", { class: "timer", title: "read time", role: "timer" }, clock(state.seconds)),
    h("button", { class: "chip", disabled: !read.can_undo, title: `${read.undo_says} (${keyOf("undo")})`, "aria-label": "Undo", "data-command": "undo", onclick: () => actions.run("undo") }, "\u21b6"),
    h("button", { class: "chip", disabled: !read.can_redo, title: `${read.redo_says} (${keyOf("redo")})`, "aria-label": "Redo", "data-command": "redo", onclick: () => actions.run("redo") }, "\u21b7"),
    saved(model, actions),
    h("button", { class: "chip", "aria-label": "Keys", onclick: () => actions.run("help") }, key("?")),
  );
}

function visits(read: Read, state: BarState, actions: BarActions): HTMLElement[] {
  return read.timepoints.map((each) => {
    const date = each.date ?? "";
    if (each.name === read.timepoint) return h("span", { class: "chip current", "aria-current": "true", title: date }, each.name);
    if (each.status === "locked") return h("span", { class: "chip plain locked", title: `${each.name} locked until ${read.timepoint} is signed` }, `${each.name} locked`);
    return h("button", { class: "chip", "aria-pressed": String(state.compare === each.name), title: `compare with ${each.name} ${date}`, onclick: () => actions.compare(each.name) }, each.name);
  });
}

function modalities(state: BarState, actions: BarActions): HTMLElement {
  const one = (name: string): HTMLElement => h("button", { class: name === state.modality ? "on" : "", "aria-pressed": String(name === state.modality), "data-modality": name, onclick: () => actions.modality(name) }, name === "PT" ? "PET" : name);
  return h("span", { class: "chip group", role: "group", "aria-label": "Modality" }, state.modalities.map(one), key(keyOf("modality")));
}

function slider(state: BarState, actions: BarActions): HTMLElement {
  const input = h("input", { type: "range", min: 0, max: 100, value: Math.round(100 * state.fusion.opacity), "aria-label": "PET opacity" });
  input.addEventListener("input", () => actions.opacity(Number(input.value) / 100));
  return h("label", { class: `chip ${state.fusion.warning ? "warning" : ""}`, title: state.fusion.text, "data-fusion": state.fusion.warning ? "warning" : "plain" }, input, state.fusion.warning ? " !" : "");
}

/** The reader's own clock: when the server last said that all is saved. */
function localTime(iso: string | null): string {
  return iso === null ? "" : new Date(iso).toLocaleTimeString("en-GB");
}

function saved(model: ReadModel, actions: BarActions): HTMLElement {
  if (model.saving === "failed") {
    return h("span", { class: "saved failed", role: "alert", title: model.problem }, `NOT SAVED (${model.unsaved}) `, h("button", { onclick: actions.retry }, "Try again"));
  }
  if (model.read.status === "signed") return h("span", { class: "saved", role: "status" }, "signed and locked");
  return h("span", { class: "saved", role: "status", "data-saving": model.saving }, model.saving === "saving" ? "saving..." : `saved ${localTime(model.read.saved)}`);
}
