import { describe, expect, it } from "vitest";
import { placeOfMask, placeSaid, type Field } from "../src/reading/field";
import type { BoxMask } from "../src/mask/bits";

const box = (start: readonly [number, number, number], size: readonly [number, number, number]): BoxMask => ({ start, size, voxels: new Uint8Array(size[0] * size[1] * size[2]).fill(1) });

// Field: columns 10 to 19; margin: columns 20 to 24; one row, one slice.
const FIELD: Field = { series_uid: "ct", inside: box([10, 0, 0], [10, 1, 1]), margin: box([20, 0, 0], [5, 1, 1]), margin_mm: 4, source: "" };

describe("a lesion and the irradiated field", () => {
  it("is in the field by half of it", () => expect(placeOfMask(box([15, 0, 0], [10, 1, 1]), FIELD)).toEqual({ position: "in", inside_percent: 50 }));
  it("is at its margin by less than half", () => expect(placeOfMask(box([16, 0, 0], [10, 1, 1]), FIELD)).toEqual({ position: "margin", inside_percent: 40 }));
  it("is at its margin when only the margin touches it", () => expect(placeOfMask(box([24, 0, 0], [10, 1, 1]), FIELD)).toEqual({ position: "margin", inside_percent: 0 }));
  it("is out when neither touches it", () => expect(placeOfMask(box([25, 0, 0], [10, 1, 1]), FIELD)).toEqual({ position: "out", inside_percent: 0 }));
  it("is said with what it rests on and the doubt about the edge", () => {
    expect(placeSaid({ position: "margin", inside_percent: 40 }, 4)).toBe("at its margin (40 % of the mask inside, edge +/- 4.0 mm)");
    expect(placeSaid({ position: "out", inside_percent: null }, 0)).toBe("outside (by the middle of the caliper)");
  });
});
