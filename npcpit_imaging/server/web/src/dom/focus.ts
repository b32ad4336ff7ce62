// Parts of the page are drawn anew when something changes; who works by keyboard must not lose their place.

const FOCUSABLE = "button, [tabindex='0'], select, input, a[href]";

/** Draw a part anew; the keyboard's focus stays on the element at the same place in it. */
export function keepingFocus(root: HTMLElement, draw: () => void): void {
  const active = document.activeElement;
  const inside = active instanceof HTMLElement && active !== root && root.contains(active) && active.matches(":focus-visible");
  const place = inside ? [...root.querySelectorAll(FOCUSABLE)].indexOf(active) : -1;
  draw();
  if (place < 0 || (active?.isConnected ?? false)) return;
  const all = [...root.querySelectorAll<HTMLElement>(FOCUSABLE)];
  all[Math.min(place, all.length - 1)]?.focus();
}
