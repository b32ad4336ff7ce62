import { describe, expect, it } from "vitest";
import type { CaliperOn, LesionEntry, MaskRef } from "../src/api/types";
import { offered, shownLines } from "../src/reading/accept";
import { BINDINGS, commandOf, keyOf, type KeyPress } from "../src/reading/keymap";
import { dense } from "../src/reading/tools";
import { cell, clock, currentCell, mm, percent, signedMm } from "../src/reading/words";

const MASK: MaskRef = {
  digest: "d", series_uid: "ct", origin: "line", segmenter: "calibrated 1.0", seconds: 0.2, uptake: null, seed_only: false,
  measurement: { longest_diameter_mm: 41.44, short_axis_mm: 27.6, volume_ml: 17.4, longest: [[0, 0, 0], [41.44, 0, 0]], short: [[0, 0, 0], [0, 27.6, 0]], slice_index_k: 3, components: 1, findings: [] },
}; // prettier-ignore
const CALIPER: CaliperOn = { series_uid: "ct", start_mm: [0, 0, 0], end_mm: [40, 0, 0], length_mm: 40 };
const ENTRY: LesionEntry = {
  lesion: "T01", role: "TARGET", organ: "NASOPHARYNX", location: "NASOPHARYNX", nodal: false, irradiated: true, parent: "", own: false, status: "todo", state: null,
  states: ["measured"], accepted: "", longest_diameter_mm: null, short_axis_mm: null, size_mm: null, mask: null, caliper: null, short_caliper: null, field: null,
  endoscopy: null, merged_into: "", comment: "", findings: [], earlier: [], ghost: null, seed_mm: null, change: { baseline_percent: null, nadir_percent: null, nadir_mm: null },
}; // prettier-ignore

describe("numbers are said", () => {
  it("in tenths of a millimetre, and as a dash when there are none", () => expect([mm(41.44), mm(0), mm(null)]).toEqual(["41.4", "0.0", "-"]));
  it("with their sign; no change has none", () => {
    expect([percent(42.2), percent(-7), percent(0.2), percent(null)]).toEqual(["+42%", "-7%", "0%", "-"]);
    expect([signedMm(12.34), signedMm(-0.04)]).toEqual(["+12.3", "0.0"]);
  });
  it("as time", () => expect([clock(401), clock(3725)]).toEqual(["06:41", "1:02:05"]));
});

describe("a cell of the lesion table", () => {
  it("says a state, never a number made up for it", () => {
    expect([cell("measured", 29.1), cell("absent", 0), cell("not_assessed", null), cell(null, null)]).toEqual(["29.1", "absent", "NE", "to do"]);
  });
  it("marks the 5 mm of a lesion too small to measure as such", () => expect(cell("too_small", 5)).toBe("5.0 (too small)"));
  it("has a star while nobody confirmed it", () => expect(currentCell({ ...ENTRY, status: "proposal", mask: MASK })).toBe("41.4*"));
  it("shows no size of a mask that was only carried over", () => {
    expect(currentCell({ ...ENTRY, status: "proposal", mask: { ...MASK, seed_only: true } })).toBe("to do");
  });
  it("shows a node by its short axis", () => expect(currentCell({ ...ENTRY, nodal: true, status: "proposal", mask: MASK })).toBe("27.6*"));
});

describe("what Enter confirms", () => {
  it("is the proposal", () => expect(offered({ ...ENTRY, status: "proposal", mask: MASK, caliper: CALIPER })).toBe("proposal"));
  it("is the reader's own caliper after it was drawn", () => expect(offered({ ...ENTRY, status: "drawn", mask: MASK, caliper: CALIPER })).toBe("caliper"));
  it("is nothing for a node with a long axis alone", () => expect(offered({ ...ENTRY, nodal: true, status: "drawn", caliper: CALIPER })).toBeNull());
  it("is nothing for a mask that was only carried over", () => expect(offered({ ...ENTRY, status: "proposal", mask: { ...MASK, seed_only: true } })).toBeNull());
  it("is nothing when it is confirmed already", () => expect(offered({ ...ENTRY, status: "confirmed", state: "measured", accepted: "proposal", mask: MASK })).toBeNull());
  it("is what is shown", () => {
    expect(shownLines({ ...ENTRY, status: "proposal", mask: MASK, caliper: CALIPER }).own).toBe(false);
    expect(shownLines({ ...ENTRY, status: "confirmed", accepted: "caliper", mask: MASK, caliper: CALIPER }).long).toEqual([[0, 0, 0], [40, 0, 0]]);
  });
});

describe("the keyboard", () => {
  const press = (key: string, more: Partial<KeyPress> = {}): KeyPress => ({ key, ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, ...more });

  it("has no key twice", () => {
    const keys = BINDINGS.flatMap((each) => each.keys);
    expect(new Set(keys).size).toBe(keys.length);
  });
  it("knows the keys of the picture", () => {
    expect([commandOf(press("Tab")), commandOf(press("Tab", { shiftKey: true })), commandOf(press("Enter"))]).toEqual(["next-lesion", "previous-lesion", "confirm"]);
    expect([commandOf(press("[")), commandOf(press("]")), commandOf(press("3"))]).toEqual(["smaller", "larger", "window-3"]);
    expect([commandOf(press("z", { ctrlKey: true })), commandOf(press("Z", { ctrlKey: true, shiftKey: true }))]).toEqual(["undo", "redo"]);
  });
  it("takes capital letters as letters, and leaves Alt and the browser's keys alone", () => {
    expect(commandOf(press("S", { shiftKey: true }))).toBe("segment");
    expect(commandOf(press("s", { altKey: true }))).toBeNull();
    expect(commandOf(press("s", { ctrlKey: true }))).toBeNull();
  });
  it("adds and takes away with the space bar, and scrolls one side with Alt", () => {
    expect([commandOf(press(" ")), commandOf(press(" ", { shiftKey: true })), commandOf(press(" ", { ctrlKey: true }))]).toEqual(["drop", "drop-add", "drop-not"]);
    expect([commandOf(press("PageUp", { altKey: true })), keyOf("drop-add")]).toEqual(["slice-up-alone", "Shift+Space"]);
  });
  it("is shown on the buttons", () => expect([keyOf("undo"), keyOf("drop"), keyOf("segment"), keyOf("previous-lesion")]).toEqual(["Ctrl+Z", "Space", "S", "Shift+Tab"]));
});

describe("a brush stroke", () => {
  it("has no gap larger than a step", () => {
    const points = dense([[0, 0, 0], [10, 0, 0]], 2);
    expect(points[0]).toEqual([0, 0, 0]);
    expect(points.at(-1)).toEqual([10, 0, 0]);
    points.slice(1).forEach((point, n) => expect(point[0] - (points[n]?.[0] ?? NaN)).toBeLessThanOrEqual(2));
  });
});
