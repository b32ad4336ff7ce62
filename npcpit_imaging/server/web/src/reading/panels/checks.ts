// What stands before the signature: checks that block it, checks that warn, and the signature itself.

import { h, key, replace } from "../../dom/h";
import type { Check, KeyImage, Read } from "../../api/types";
import { keyOf } from "../keymap";
import { moment } from "../words";

export interface CheckActions {
  readonly choose: (lesion: string) => void;
  readonly sign: () => void;
  readonly unlock: () => void;
  readonly readForm: () => void;
}

export function renderChecks(root: HTMLElement, read: Read, pictures: readonly KeyImage[], actions: CheckActions): void {
  const blocked = read.checks.some((each) => each.blocks);
  const list = read.checks.length === 0 ? h("p", { class: "hint" }, "Nothing stands against signing.") : h("ul", { class: "checks" }, read.checks.map((each) => item(each, actions)));
  const notices = read.notices.map((each) => h("p", { class: "notice" }, each));
  replace(root, h("h2", {}, "Checks before signing"), notices, read.status === "signed" ? signed(read, pictures, actions) : [list, signing(blocked, actions)]);
}

function item(check: Check, actions: CheckActions): HTMLElement {
  const { lesion } = check;
  const text = lesion === null ? check.text : h("button", { class: "link", onclick: () => actions.choose(lesion) }, check.text);
  return h("li", { class: check.blocks ? "blocks" : check.severity, "data-check": check.code }, text);
}

function signing(blocked: boolean, actions: CheckActions): HTMLElement {
  return h(
    "div",
    { class: "actions" },
    h("button", { class: "primary", disabled: blocked, "data-command": "sign", onclick: actions.sign }, "Sign and lock ", key(keyOf("sign"))),
    h("button", { onclick: actions.readForm }, "Marker, comment..."),
  );
}

function signed(read: Read, pictures: readonly KeyImage[], actions: CheckActions): HTMLElement {
  return h(
    "div",
    { class: "signed" },
    h("p", {}, h("b", {}, `Signed ${moment(read.signed)} UTC, version ${read.version}. `), "Locked: it can be looked at, not changed."),
    read.reason === "" ? null : h("p", { class: "hint" }, `Reason of this version: ${read.reason}`),
    pictures.length === 0 ? null : h("p", { class: "hint" }, "Key images of the report:"),
    h("div", { class: "key-images" }, pictures.map((each) => h("a", { href: each.url, target: "_blank", title: each.caption }, h("img", { src: each.url, alt: each.title })))),
    h("div", { class: "actions" }, h("button", { onclick: actions.unlock, "data-command": "unlock" }, "Unlock as a new version...")),
  );
}
