import { describe, expect, it } from "vitest";
import { contains, sliceAt, toIndex, toWorld, type Grid } from "../src/image/grid";
import { after } from "../src/image/links";
import { Links } from "../src/image/links";
import { inverse, mapPoint, rigid } from "../src/image/transform";
import type { Link } from "../src/api/types";
import type { Vec3 } from "../src/image/vector";

// A grid turned by 90 degrees about z: i runs along +y, j along -x.
const TURNED: Grid = { size: [4, 5, 3], spacing_mm: [1, 2, 3], origin_mm: [10, 20, 30], axes: [[0, 1, 0], [-1, 0, 0], [0, 0, 1]] };
// +90 degrees about z, then 5 mm along x: (x, y, z) -> (5 - y, x, z).
const QUARTER = [0, -1, 0, 5, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];

const close = (found: readonly number[], expected: readonly number[]): void => found.forEach((value, n) => expect(value).toBeCloseTo(expected[n] ?? NaN, 9));

describe("a grid", () => {
  it("maps an index to millimetres along its own axes", () => close(toWorld(TURNED, [1, 2, 1]), [6, 21, 33]));
  it("maps millimetres back to the index", () => close(toIndex(TURNED, [6, 21, 33]), [1, 2, 1]));
  it("finds the nearest slice, and stays inside", () => {
    expect(sliceAt(TURNED, [10, 20, 34.4])).toBe(1);
    expect(sliceAt(TURNED, [10, 20, 999])).toBe(2);
  });
  it("ends at the outer edges of its voxels", () => {
    expect(contains(TURNED, [10, 19.5, 30])).toBe(true);
    expect(contains(TURNED, [10, 19.4, 30])).toBe(false);
  });
});

describe("a rigid transform", () => {
  it("turns and moves a point", () => close(mapPoint(rigid(QUARTER), [1, 2, 3]), [3, 1, 3]));
  it("is undone by its inverse", () => close(mapPoint(inverse(rigid(QUARTER)), [3, 1, 3]), [1, 2, 3]));
  it("refuses a scale", () => {
    expect(() => rigid([2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1])).toThrow(/rotation/);
  });
  it("comes after another one", () => {
    // twice: (1, 2, 3) -> (3, 1, 3) -> (4, 3, 3)
    close(mapPoint(after(rigid(QUARTER), rigid(QUARTER)), [1, 2, 3]), [4, 3, 3]);
  });
});

const link = (from: string, to: string, matrix: number[] | null, more: Partial<Link> = {}): Link => ({
  from: "FU1", to: "BASELINE", from_series_uid: from, to_series_uid: to, kind: "rigid", matrix, verdict: "accept", reasons: [],
  uncertainty_mm: 3, quality: {}, usable: true, problem: "", ...more,
}); // prettier-ignore

const SERIES = [
  { uid: "ct1", frame_of_reference_uid: "A" },
  { uid: "ct2", frame_of_reference_uid: "B" },
  { uid: "pet2", frame_of_reference_uid: "C" },
  { uid: "petct2", frame_of_reference_uid: "C" },
  { uid: "mr", frame_of_reference_uid: null },
];

const nobody = (): Promise<Vec3 | null> => Promise.reject(new Error("not to be asked"));

describe("links between series", () => {
  const links = new Links(SERIES, [link("ct1", "ct2", QUARTER), link("ct2", "petct2", QUARTER, { uncertainty_mm: 4, verdict: "warn" })], nobody);

  it("carries a point through a registration, and back", async () => {
    close((await links.between("ct1", "ct2")?.map([1, 2, 3])) ?? [], [3, 1, 3]);
    close((await links.between("ct2", "ct1")?.map([3, 1, 3])) ?? [], [1, 2, 3]);
  });
  it("goes through several, and says the doubt of all: 3 and 4 mm make 5 mm, one warning makes a warning", () => {
    const path = links.between("ct1", "pet2");
    expect(path?.uncertainty_mm).toBe(5);
    expect(path?.verdict).toBe("warn");
    close(path?.rigid === undefined || path.rigid === null ? [] : mapPoint(path.rigid, [1, 2, 3]), [4, 3, 3]);
  });
  it("needs no registration within a frame of reference", () => expect(links.between("pet2", "petct2")?.sameFrame).toBe(true));
  it("says when there is no way", () => expect(links.between("ct1", "mr")).toBeNull());
  it("does not use a rejected registration", () => {
    const none = new Links(SERIES, [link("ct1", "ct2", QUARTER, { usable: false })], nobody);
    expect(none.between("ct1", "ct2")).toBeNull();
  });
  it("asks the server to carry a point through a deformable one", async () => {
    const asked: unknown[] = [];
    const server = (link: Link, point: Vec3, back: boolean): Promise<Vec3> => {
      asked.push([link.from, link.to, point, back]);
      return Promise.resolve([7, 8, 9]);
    };
    const path = new Links(SERIES, [link("ct2", "ct1", null, { kind: "deformable" })], server).between("ct1", "ct2");
    expect(path?.rigid).toBeNull();
    expect(await path?.map([1, 2, 3])).toEqual([7, 8, 9]);
    expect(asked).toEqual([["FU1", "BASELINE", [1, 2, 3], true]]);
  });
});
