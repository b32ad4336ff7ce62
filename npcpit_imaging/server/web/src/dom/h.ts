// Makes elements: h("button", { class: "primary", onclick: save }, "Save"). Text is always text, never markup.

import { keepingFocus } from "./focus";

type Child = Node | string | number | null | undefined | false;
type Attributes = Readonly<Record<string, unknown>>;

export function h<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: readonly (Child | readonly Child[])[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on") && typeof value === "function") element.addEventListener(name.slice(2), value as EventListener);
    else if (name === "value" && "value" in element) (element as { value: unknown }).value = value;
    else if (typeof value === "string" || typeof value === "number") element.setAttribute(name, String(value));
    else if (value === true) element.setAttribute(name, "");
  }
  put(element, children);
  return element;
}

export function put(parent: Element, children: readonly (Child | readonly Child[])[]): void {
  for (const child of children.flat() as readonly Child[]) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(child instanceof Node ? child : String(child));
  }
}

export function replace(parent: HTMLElement, ...children: readonly (Child | readonly Child[])[]): void {
  keepingFocus(parent, () => {
    parent.replaceChildren();
    put(parent, children);
  });
}

export const key = (name: string): HTMLElement => h("kbd", {}, name);
