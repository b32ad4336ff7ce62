// The forms of the reading screen: another state, a new lesion, details (field, endoscopy, comment), signing, unlocking.

import { field, openDialog, radios, select, text } from "../dom/dialog";
import { h, key } from "../dom/h";
import { ApiError, post } from "../api/client";
import { adoptSessionOf, providerLink } from "../screens/signin";
import type { LesionEntry, Read, Session } from "../api/types";
import { BINDINGS, keyOf } from "./keymap";
import type { ReadModel } from "./model";
import { stateWords } from "./words";

const MEANINGS: Readonly<Record<string, string>> = {
  too_small: "seen, but too small to measure reliably; counts as 5 mm",
  absent: "gone; counts as 0 mm",
  not_assessed: "on the images but cannot be judged; the time point is not evaluable by this lesion",
  not_imaged: "not on any image of this visit",
  removed: "surgically removed or otherwise treated away",
  merged: "merged with another lesion, named below",
};

async function changed(model: ReadModel, sent: Promise<boolean>): Promise<void> {
  if (!(await sent)) throw new Error(model.problem === "" ? "Not saved." : model.problem);
}

export function askState(model: ReadModel, entry: LesionEntry): Promise<boolean> {
  const states = entry.states.filter((each) => each !== "measured");
  const others = model.read.lesions.filter((each) => each.lesion !== entry.lesion).map((each) => [each.lesion, `${each.lesion} ${each.location}`] as const);
  const options = states.map((each) => [each, stateWords(each) + (MEANINGS[each] === undefined ? "" : ` - ${MEANINGS[each]}`)] as const);
  const splits = entry.role === "TARGET" ? [h("p", { class: "hint" }, `Split? Measure the largest part as ${entry.lesion} and add each other part with "New lesion", parent ${entry.lesion}.`)] : [];
  const merged = states.includes("merged") ? [field("Merged into", select("merged_into", [["", "-"], ...others]))] : [];
  return openDialog({
    title: `${entry.lesion} ${entry.location.toLowerCase()}: state`,
    body: [radios("state", "What is found at this visit", options, entry.state), ...merged, ...splits],
    submit: "Confirm this state",
    act: (form) => {
      const into = text(form, "merged_into");
      const state = text(form, "state");
      if (state === "merged" && into === "") throw new Error("Merged: name the lesion it merged into.");
      return changed(model, model.change({ kind: "state", lesion: entry.lesion, state, ...(state === "merged" ? { merged_into: into } : {}) }));
    },
  });
}

export const FIELD_CHOICES = [["", "not stated"], ["in", "in the irradiated field"], ["margin", "at its margin"], ["out", "outside"]] as const;

export function askNewLesion(model: ReadModel, baseline: boolean): Promise<boolean> {
  const parents = model.read.lesions.map((each) => [each.lesion, `part of ${each.lesion} (split)`] as const);
  const certainty = radios("state", "How sure", [["equivocal", "equivocal - may be something else; confirm at the next visit"], ["unequivocal", "unequivocal - progression by itself"]]);
  const role = radios("role", "Role", [["TARGET", "target"], ["NON-TARGET", "non-target"]], "TARGET");
  return openDialog({
    title: baseline ? "Add a lesion" : "New lesion",
    body: [
      baseline ? role : certainty,
      field("Organ", h("input", { name: "organ", required: true, value: "LYMPH NODE", maxlength: 64 })),
      field("Location", h("input", { name: "location", required: true, maxlength: 64, placeholder: "CERVICAL LYMPH NODE" })),
      h("label", { class: "radio" }, h("input", { type: "checkbox", name: "nodal" }), "a lymph node (its short axis is its size)"),
      baseline ? "" : field("Irradiated field", select("field", FIELD_CHOICES)),
      baseline ? "" : field("Split", select("parent", [["", "no"], ...parents])),
    ],
    submit: "Add",
    act: async (form) => {
      const parent = text(form, "parent");
      const whole = model.lesion(parent);
      const before = new Set(model.read.lesions.map((each) => each.lesion));
      await changed(
        model,
        model.change({
          kind: "add_lesion",
          role: baseline ? text(form, "role") : (whole?.role ?? "NEW"),
          organ: text(form, "organ").toUpperCase(),
          location: text(form, "location").toUpperCase(),
          nodal: form.get("nodal") !== null,
          ...(parent === "" ? {} : { parent }),
          ...(baseline || parent !== "" ? {} : { state: text(form, "state") }),
        }),
      );
      const added = model.read.lesions.find((each) => !before.has(each.lesion));
      const where = text(form, "field");
      if (added !== undefined && where !== "") await changed(model, model.change({ kind: "annotate", lesion: added.lesion, field: where }));
    },
  });
}

const ENDOSCOPY = [["", "not done"], ["eCR", "eCR - nothing seen"], ["eNON-CR/NON-PD", "eNON-CR/NON-PD - still seen"], ["ePD", "ePD - clearly more"], ["eNE", "eNE - not evaluable"]] as const;

export function askDetails(model: ReadModel, entry: LesionEntry): Promise<boolean> {
  return openDialog({
    title: `${entry.lesion} ${entry.location.toLowerCase()}: details`,
    body: [
      field("Irradiated field", select("field", FIELD_CHOICES, entry.field ?? "")),
      field("Endoscopy", select("endoscopy", ENDOSCOPY, entry.endoscopy ?? "")),
      h("p", { class: "hint" }, "Endoscopy qualifies what is said of a lesion; it never measures."),
      field("Comment", h("textarea", { name: "comment", rows: 3, maxlength: 2000 }, entry.comment)),
    ],
    submit: "Keep",
    act: (form) => {
      const or = (name: string): string | null => (text(form, name) === "" ? null : text(form, name));
      return changed(model, model.change({ kind: "annotate", lesion: entry.lesion, field: or("field"), endoscopy: or("endoscopy"), comment: text(form, "comment") }));
    },
  });
}

const MARKERS = [["", "not stated"], ["normal", "normal"], ["elevated", "elevated"], ["not_done", "not done"]] as const;

export function askRead(model: ReadModel): Promise<boolean> {
  return openDialog({
    title: "This read",
    body: [
      field("Tumour marker", select("tumour_marker", MARKERS, model.read.read.tumour_marker ?? "")),
      field("Comment on the whole read", h("textarea", { name: "comment", rows: 3, maxlength: 2000 }, model.read.read.comment)),
    ],
    submit: "Keep",
    act: (form) => {
      const marker = text(form, "tumour_marker");
      return changed(model, model.change({ kind: "read", comment: text(form, "comment"), tumour_marker: marker === "" ? null : marker }));
    },
  });
}

export function askSignature(model: ReadModel, session: Session): Promise<boolean> {
  const password = h("input", { name: "password", type: "password", required: true, autocomplete: "current-password" });
  const { answer } = model.read;
  return openDialog({
    title: `Sign and lock ${model.read.subject} ${model.read.timepoint}`,
    body: [
      h("p", {}, session.statement),
      answer.overall === null ? "" : h("p", {}, h("b", {}, `Overall: ${answer.overall}. `), answer.rule ?? ""),
      h("p", { class: "hint" }, `Signed as ${session.name} (${session.username}).`),
      session.method === "password" ? field("Password", password) : providerLink("api/oidc/start?purpose=sign", "First prove again who you are"),
    ],
    submit: "Sign and lock",
    act: async (form) => {
      const elsewhere = session.method !== "password";
      if (elsewhere) await adoptSessionOf(session); // signed in anew in another tab: another anti-forgery token
      const body = { revision: model.read.revision, meaning: "read", ...(elsewhere ? {} : { password: text(form, "password") }) };
      try {
        model.adopt(await post<Read>(`${model.path}/sign`, body));
      } catch (error) {
        if (error instanceof ApiError && error.code === "reauthenticate") throw new Error(`${error.message} Use the button above, then sign here.`);
        throw error;
      }
    },
  });
}

export function askUnlock(model: ReadModel): Promise<boolean> {
  return openDialog({
    title: "Unlock as a new version",
    body: [
      h("p", {}, "The signed read stays as it is. A new version starts from it and must be signed again; later time points read after it are marked stale."),
      field("Reason", h("input", { name: "reason", required: true, maxlength: 500 })),
    ],
    submit: "Unlock",
    danger: true,
    act: async (form) => model.adopt(await post<Read>(`${model.path}/unlock`, { reason: text(form, "reason") })),
  });
}

export function showHelp(): Promise<boolean> {
  const rows = BINDINGS.map((each) => h("div", {}, key(keyOf(each.command)), h("span", {}, each.says)));
  const mouse = [
    ["wheel", "scroll both sides"],
    ["Alt wheel", "this side only"],
    ["Ctrl wheel, right drag", "zoom"],
    ["middle drag", "move the image"],
    ["Shift stroke", "segment: add to the mask (a second line: the short axis)"],
    ["Ctrl stroke", "segment: not this"],
  ].map(([name, says]) => h("div", {}, key(name ?? ""), h("span", {}, says)));
  return openDialog({ title: "Keys", body: [h("div", { class: "keys" }, rows, mouse)], submit: "Close", cancel: null, act: () => Promise.resolve() });
}
