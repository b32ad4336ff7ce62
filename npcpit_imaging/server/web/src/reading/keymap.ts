// The keyboard: one table from keys to commands; the help and the buttons read the same table.

export type Command =
  | "next-lesion" | "previous-lesion" | "confirm" | "reject" | "segment" | "brush" | "erase" | "smaller" | "larger" | "fill-between"
  | "caliper" | "window-tool" | "pan-tool" | "look" | "link" | "mpr" | "fusion" | "ghost" | "modality" | "undo" | "redo" | "new-lesion"
  | "other-state" | "too-small" | "absent" | "not-evaluable" | "details" | "jump" | "reset" | "zoom-in" | "zoom-out" | "slice-up"
  | "slice-down" | "slice-up-alone" | "slice-down-alone" | "left" | "right" | "up" | "down" | "drop" | "drop-add" | "drop-not" | "confirm-own"
  | "reopen" | "series" | "side" | "sign" | "help" | "next-region" | "window-1" | "window-2" | "window-3" | "window-4"; // prettier-ignore

export interface Binding {
  readonly command: Command;
  readonly keys: readonly string[]; // the first is shown
  readonly says: string;
}

const bind = (command: Command, says: string, ...keys: string[]): Binding => ({ command, keys, says });

export const BINDINGS: readonly Binding[] = [
  bind("next-lesion", "next lesion (both sides jump)", "Tab"),
  bind("previous-lesion", "previous lesion", "Shift+Tab"),
  bind("confirm", "confirm", "Enter"),
  bind("confirm-own", "confirm the own caliper, not the proposal", "Shift+Enter"),
  bind("reopen", "reopen what is confirmed", "u"),
  bind("reject", "reject the proposal", "Delete"),
  bind("segment", "segment; again: line, box, click, scribble", "s"),
  bind("brush", "brush", "b"),
  bind("erase", "erase", "e"),
  bind("smaller", "smaller brush", "["),
  bind("larger", "larger brush", "]"),
  bind("fill-between", "fill between slices", "i"),
  bind("caliper", "caliper; again: short axis", "c"),
  bind("window-tool", "drag the window", "w"),
  bind("pan-tool", "drag the image", "p"),
  bind("look", "no tool, back to the images", "Escape"),
  bind("link", "link the two sides", "l"),
  bind("mpr", "orthogonal planes (MPR)", "m"),
  bind("fusion", "PET fusion", "f"),
  bind("ghost", "earlier caliper as a ghost, field", "g"),
  bind("modality", "next modality", "v"),
  bind("undo", "undo", "Ctrl+z"),
  bind("redo", "redo", "Ctrl+y", "Ctrl+Shift+z"),
  bind("new-lesion", "new lesion", "n"),
  bind("other-state", "other state", "o"),
  bind("too-small", "too small to measure", "t"),
  bind("absent", "absent", "a"),
  bind("not-evaluable", "not evaluable", "x"),
  bind("details", "field, endoscopy, comment", "d"),
  bind("series", "next series of this side", "."),
  bind("side", "the other side (arrows, PageUp and series act on it)", "q"),
  bind("jump", "back to the lesion", "Home"),
  bind("reset", "whole image", "r"),
  bind("zoom-in", "zoom in", "+", "="),
  bind("zoom-out", "zoom out", "-"),
  bind("slice-up", "towards the head", "PageUp"),
  bind("slice-down", "towards the feet", "PageDown"),
  bind("slice-up-alone", "this side only: towards the head", "Alt+PageUp"),
  bind("slice-down-alone", "this side only: towards the feet", "Alt+PageDown"),
  bind("left", "move the cursor (Shift: ten voxels); with W the window, with P the image", "ArrowLeft", "Shift+ArrowLeft"),
  bind("right", "move the cursor", "ArrowRight", "Shift+ArrowRight"),
  bind("up", "move the cursor", "ArrowUp", "Shift+ArrowUp"),
  bind("down", "move the cursor", "ArrowDown", "Shift+ArrowDown"),
  bind("drop", "use the tool at the cursor (a line: at both ends)", " "),
  bind("drop-add", "the same, added to the mask", "Shift+ "),
  bind("drop-not", "the same, taken away", "Ctrl+ "),
  bind("sign", "sign", "Ctrl+Enter"),
  bind("next-region", "next part of the page", "F6"),
  bind("help", "these keys", "?", "h"),
  bind("window-1", "window 1", "1"),
  bind("window-2", "window 2", "2"),
  bind("window-3", "window 3", "3"),
  bind("window-4", "window 4", "4"),
];

export interface KeyPress {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly shiftKey: boolean;
  readonly altKey: boolean;
}

/** The command of a key press; null when there is none. */
export function commandOf(press: KeyPress): Command | null {
  const name = nameOf(press);
  return BINDINGS.find((each) => each.keys.includes(name))?.command ?? null;
}

function nameOf(press: KeyPress): string {
  const letter = press.key.length === 1;
  const ctrl = press.ctrlKey || press.metaKey ? "Ctrl+" : "";
  const shift = press.shiftKey && (!letter || ctrl !== "" || press.key === " ") ? "Shift+" : "";
  return `${press.altKey ? "Alt+" : ""}${ctrl}${shift}${letter ? press.key.toLowerCase() : press.key}`;
}

/** A command's first key, for a button. */
export function keyOf(command: Command): string {
  const first = BINDINGS.find((each) => each.command === command)?.keys[0] ?? "";
  if (first.endsWith(" ")) return `${first.slice(0, -1)}Space`;
  return first.replace(/(^|\+)([a-z])$/, (_, before: string, letter: string) => before + letter.toUpperCase());
}
