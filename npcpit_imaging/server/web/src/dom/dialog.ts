// A dialog over the page: the browser's own, so that focus stays in it and Escape leaves it.

import { h, put } from "./h";

export interface DialogParts {
  readonly title: string;
  readonly body: readonly (Node | string)[];
  readonly submit: string;
  readonly danger?: boolean;
  readonly cancel?: string | null; // null: it cannot be left
  /** Called with the form; resolves to close, throws with the message to show. */
  act(form: FormData): Promise<void>;
}

/** Opens the dialog; resolves to true when its action was done, false when it was left. */
export function openDialog(parts: DialogParts): Promise<boolean> {
  return new Promise((resolve) => {
    const problem = h("p", { class: "problem", role: "alert" });
    const submit = h("button", { type: "submit", class: parts.danger === true ? "danger" : "primary" }, parts.submit);
    const leave = h("button", { type: "button", onclick: () => close(false) }, parts.cancel ?? "Cancel");
    const form = h("form", { method: "dialog" }, h("h2", { id: "dialog-title" }, parts.title));
    put(form, parts.body);
    put(form, [problem, h("div", { class: "actions" }, submit, parts.cancel === null ? null : leave)]);
    const dialog = h("dialog", { "aria-labelledby": "dialog-title" }, form);
    const close = (done: boolean): void => {
      dialog.close();
      dialog.remove();
      resolve(done);
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      submit.disabled = true;
      problem.textContent = "";
      const data = new FormData(form);
      // Begun within a promise: a form that refuses at once says so too.
      void Promise.resolve().then(() => parts.act(data)).then(
        () => close(true),
        (error: unknown) => {
          submit.disabled = false;
          problem.textContent = error instanceof Error ? error.message : String(error);
        },
      );
    });
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      if (parts.cancel !== null) close(false);
    });
    dialog.addEventListener("keydown", (event) => event.stopPropagation());
    document.body.append(dialog);
    dialog.showModal();
  });
}

export const field = (label: string, control: HTMLElement): HTMLElement => h("label", { class: "field" }, h("span", {}, label), control);

export function select(name: string, options: readonly (readonly [string, string])[], chosen = ""): HTMLSelectElement {
  return h("select", { name }, options.map(([value, text]) => h("option", { value, selected: value === chosen }, text)));
}

export const text = (form: FormData, name: string): string => {
  const value = form.get(name);
  return typeof value === "string" ? value.trim() : "";
};

/** One of several, chosen with the arrow keys. */
export function radios(name: string, legend: string, options: readonly (readonly [string, string])[], chosen: string | null = null): HTMLElement {
  const option = ([value, label]: readonly [string, string]): HTMLElement =>
    h("label", { class: "radio" }, h("input", { type: "radio", name, value, required: true, checked: value === chosen }), label);
  return h("fieldset", {}, h("legend", {}, legend), options.map(option));
}
