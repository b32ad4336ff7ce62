import { describe, expect, it } from "vitest";
import type { SeriesGeometry } from "../src/api/types";
import { sliceAt, toWorld } from "../src/image/grid";
import { rigid } from "../src/image/transform";
import { resample, viewOf } from "../src/image/view";
import { SeriesVolume } from "../src/image/volume";
import { dragged, presetsOf, said } from "../src/image/windows";

const GEOMETRY: SeriesGeometry = {
  uid: "1.2", timepoint: "FU1", modality: "CT", description: "", frame_of_reference_uid: null, unit: "HU", shape_kji: [4, 3, 2], spacing_mm: [1, 1, 2],
  origin_mm: [0, 0, 100], direction: [[1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype: "int16", scale: { slope: 1, intercept: 0 }, value_range: [-1000, 1000],
  windows: [{ key: "1", name: "Soft tissue", low: -125, high: 225 }], findings: [],
}; // prettier-ignore

/** Every voxel holds 100 k + 10 j + i, as if it had been fetched. */
function filled(geometry: SeriesGeometry = GEOMETRY): SeriesVolume {
  const volume = new SeriesVolume(geometry);
  const [nk, nj, ni] = geometry.shape_kji;
  for (let k = 0; k < nk; k++) for (let j = 0; j < nj; j++) for (let i = 0; i < ni; i++) volume.voxels[(k * nj + j) * ni + i] = 100 * k + 10 * j + i;
  volume.fetchAll = () => Promise.resolve();
  return volume;
}

describe("a coronal cut", () => {
  const view = viewOf(filled(), "coronal");

  it("has the head at the top and columns as they were", async () => {
    const plane = await view.plane(1); // j = 1
    expect([...plane]).toEqual([310, 311, 210, 211, 110, 111, 10, 11]);
  });
  it("lies where its voxels lie: column 1, row 0 of plane 2 is voxel (1, 2, 3)", () => {
    expect(view.voxel?.(1, 0, 2)).toEqual([1, 2, 3]);
    expect(toWorld(view.grid, [1, 0, 2])).toEqual([1, 2, 106]);
  });
});

describe("a sagittal cut", () => {
  it("runs from front to back, head at the top", async () => {
    const view = viewOf(filled(), "sagittal");
    expect([...(await view.plane(1))].slice(0, 4)).toEqual([301, 311, 321, 201]);
    expect(sliceAt(view.grid, [1, 0, 100])).toBe(1);
  });
});

describe("a series whose slices run to the feet", () => {
  it("is not turned over: its first slice is already at the top", async () => {
    const down = filled({ ...GEOMETRY, direction: [[1, 0, 0], [0, 1, 0], [0, 0, -1]] });
    expect([...(await viewOf(down, "coronal").plane(0))].slice(0, 2)).toEqual([0, 1]);
  });
});

describe("another image in a base image's plane", () => {
  const base = filled().grid;

  it("is the same where both are the same", () => {
    const volume = filled();
    expect([...resample(base, 2, volume.grid, volume.voxels, rigid([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]))]).toEqual([200, 201, 210, 211, 220, 221]);
  });
  it("is interpolated half-way between slices 1 mm further up, and 0 outside", () => {
    const volume = filled();
    const up = rigid([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1]);
    expect([...resample(base, 2, volume.grid, volume.voxels, up)]).toEqual([250, 251, 260, 261, 270, 271]);
    expect([...resample(base, 3, volume.grid, volume.voxels, up)]).toEqual([0, 0, 0, 0, 0, 0]);
  });
});

describe("a window", () => {
  const soft = presetsOf(GEOMETRY)[0];

  it("comes from the server and is said as width and level", () => expect(soft === undefined ? "" : said(soft, "HU")).toBe("W350 L50"));
  it("of a PET is said in SUV and drawn dark on white", () => {
    const [pet] = presetsOf({ ...GEOMETRY, modality: "PT", windows: [{ key: "1", name: "SUV 10", low: 0, high: 10 }] });
    expect(pet?.invert).toBe(true);
    expect(pet === undefined ? "" : said(pet, "SUVbw")).toBe("SUV 0.0-10.0");
  });
  it("widens when dragged to the right", () => {
    const wide = soft === undefined ? null : dragged(soft, 300, 0);
    expect(wide === null ? 0 : wide.upper - wide.lower).toBe(700);
  });
});
