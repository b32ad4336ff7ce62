import { describe, expect, it } from "vitest";
import type { Grid } from "../src/image/grid";
import { EMPTY, grown, isSet, unpack } from "../src/mask/bits";
import { stroke } from "../src/mask/brush";
import { outlines } from "../src/mask/contour";

const GRID: Grid = { size: [20, 20, 5], spacing_mm: [1, 2, 3], origin_mm: [0, 0, 0], axes: [[1, 0, 0], [0, 1, 0], [0, 0, 1]] };

describe("a packed mask", () => {
  // A box of 1 slice, 2 rows, 5 columns at (k, j, i) = (4, 7, 9); set: (9, 7), (13, 7), (10, 8).
  // Bits 0, 4, 6 of the first byte: 1 + 16 + 64 = 81; none of the second.
  const mask = unpack({ start_kji: [4, 7, 9], size_kji: [1, 2, 5], bits: btoa(String.fromCharCode(81, 0)) });

  it("is read little end first, columns fastest", () => {
    const found = [];
    for (let j = 6; j < 10; j++) for (let i = 8; i < 15; i++) if (isSet(mask, i, j, 4)) found.push([i, j]);
    expect(found).toEqual([[9, 7], [13, 7], [10, 8]]);
  });
  it("is empty beside its slice", () => expect(isSet(mask, 9, 7, 3)).toBe(false));
  it("of the wrong length is refused", () => {
    expect(() => unpack({ start_kji: [0, 0, 0], size_kji: [1, 2, 5], bits: btoa("a") })).toThrow(/expected 2 bytes for 10 voxels, found 1/);
  });
  it("keeps its voxels in a larger box", () => {
    const larger = grown(mask, [0, 0, 0], [19, 19, 4]);
    expect(larger.size).toEqual([20, 20, 5]);
    expect(isSet(larger, 13, 7, 4)).toBe(true);
    expect(larger.voxels.reduce((sum, value) => sum + value, 0)).toBe(3);
  });
});

describe("the brush", () => {
  it("paints a disc in mm, not in pixels: 2.1 mm is 2 columns of 1 mm and 1 row of 2 mm", () => {
    const mask = stroke(EMPTY, GRID, [[10, 20, 6]], 2, 2.1, false);
    const row = (j: number): number[] => Array.from({ length: 20 }, (_, i) => i).filter((i) => isSet(mask, i, j, 2));
    expect(row(10)).toEqual([8, 9, 10, 11, 12]);
    expect(row(9)).toEqual([10]);
    expect(row(8)).toEqual([]);
    expect(isSet(mask, 10, 10, 1)).toBe(false);
  });
  it("erases without growing the box, and leaves the mask before as it was", () => {
    const before = stroke(EMPTY, GRID, [[10, 20, 6]], 2, 2.1, false);
    const erased = stroke(before, GRID, [[10, 20, 6]], 2, 0.5, true);
    expect(isSet(erased, 10, 10, 2)).toBe(false);
    expect(isSet(before, 10, 10, 2)).toBe(true);
    expect(erased.size).toEqual(before.size);
  });
  it("outside the image paints nothing", () => expect(stroke(EMPTY, GRID, [[-50, 0, 0]], 0, 3, false)).toBe(EMPTY));
});

describe("the outline", () => {
  const of = (rows: readonly string[]) => outlines({ width: rows[0]?.length ?? 0, height: rows.length, start: [5, 6], isSet: (a, b) => rows[b]?.[a] === "x" });

  it("of one voxel is a diamond around its centre", () => {
    const [line] = of(["x"]);
    const corners = [[5, 5.5], [5.5, 6], [5, 6.5], [4.5, 6]];
    expect(line).toHaveLength(4);
    for (const corner of corners) expect(line).toContainEqual(corner);
  });
  it("has a second line around a hole", () => expect(of(["xxx", "x.x", "xxx"])).toHaveLength(2));
  it("of two touching corners is closed, whichever way it is joined", () => {
    const lines = of(["x.", ".x"]);
    expect(lines.flat()).toHaveLength(8);
  });
  it("of nothing is nothing", () => expect(of(["...", "..."])).toEqual([]));
});
