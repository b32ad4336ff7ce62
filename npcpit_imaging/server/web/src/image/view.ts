// What a pane can show: a stack of planes with a grid of its own. Three kinds: a series as it was taken, the same
// series cut along its other axes (MPR), and a PET resampled into another image's planes (fusion). The planes of the
// first two hold the volume's own voxels; nothing is interpolated but by the screen.

import type { Grid } from "./grid";
import type { Rigid } from "./transform";
import { mapPoint } from "./transform";
import { toIndex, toWorld } from "./grid";
import { scale, subtract, type Vec3 } from "./vector";
import type { SeriesVolume, Voxels } from "./volume";

export type Cut = "native" | "coronal" | "sagittal";

export interface View {
  readonly id: string;
  readonly grid: Grid; // size, spacing and axes of the planes: third axis across them
  readonly source: SeriesVolume;
  plane(n: number): Promise<Voxels>;
  /** The source's voxel (i, j, k) shown at column a, row b of plane n; null where the view holds no voxels of its own. */
  voxel: ((a: number, b: number, n: number) => Vec3) | null;
}

export function viewOf(source: SeriesVolume, cut: Cut): View {
  if (cut === "native") {
    return { id: `${source.uid}/native`, grid: source.grid, source, plane: (n) => source.slice(n), voxel: (a, b, n) => [a, b, n] };
  }
  const [i, j, k] = source.grid.axes;
  const up = k[2] > 0; // slices run towards the head: turn rows so that the head is at the top
  const [columns, rows, across] = cut === "coronal" ? ([0, 2, 1] as const) : ([1, 2, 0] as const);
  const first: Vec3 = [0, 0, up ? source.grid.size[2] - 1 : 0];
  const axes = [i, j, k] as const;
  const grid: Grid = {
    size: [source.grid.size[columns], source.grid.size[rows], source.grid.size[across]],
    spacing_mm: [source.grid.spacing_mm[columns], source.grid.spacing_mm[rows], source.grid.spacing_mm[across]],
    origin_mm: toWorld(source.grid, first),
    axes: [axes[columns], up ? scale(k, -1) : k, axes[across]],
  };
  const voxel = (a: number, b: number, n: number): Vec3 => {
    const slice = up ? source.grid.size[2] - 1 - b : b;
    return cut === "coronal" ? [a, n, slice] : [n, a, slice];
  };
  return { id: `${source.uid}/${cut}`, grid, source, voxel, plane: (n) => cutPlane(source, grid, voxel, n) };
}

async function cutPlane(source: SeriesVolume, grid: Grid, voxel: (a: number, b: number, n: number) => Vec3, n: number): Promise<Voxels> {
  await source.fetchAll(0);
  const [width, height] = grid.size;
  const plane = newPlane(source.voxels, width * height);
  const [ni, nj] = source.grid.size;
  for (let b = 0; b < height; b++) {
    for (let a = 0; a < width; a++) {
      const [i, j, k] = voxel(a, b, n);
      plane[b * width + a] = source.voxels[(k * nj + j) * ni + i] ?? 0;
    }
  }
  return plane;
}

const newPlane = (like: Voxels, many: number): Voxels => (like instanceof Int16Array ? new Int16Array(many) : new Float32Array(many));

/** Another image's values in the planes of a base view, linearly interpolated; `onto` maps base points to the other image's. */
export function resampledView(base: View, other: SeriesVolume, onto: Rigid): View {
  const plane = async (n: number): Promise<Voxels> => {
    await other.fetchAll(0);
    return resample(base.grid, n, other.grid, other.voxels, onto);
  };
  return { id: `${other.uid}/on/${base.id}`, grid: base.grid, source: other, plane, voxel: null };
}

export function resample(base: Grid, n: number, grid: Grid, voxels: Voxels, onto: Rigid): Float32Array {
  const [width, height] = base.size;
  const plane = new Float32Array(width * height);
  const at = (a: number, b: number): Vec3 => toIndex(grid, mapPoint(onto, toWorld(base, [a, b, n])));
  const origin = at(0, 0);
  const [da, db] = [subtract(at(1, 0), origin), subtract(at(0, 1), origin)];
  for (let b = 0; b < height; b++) {
    let [x, y, z] = [origin[0] + b * db[0], origin[1] + b * db[1], origin[2] + b * db[2]];
    for (let a = 0; a < width; a++, x += da[0], y += da[1], z += da[2]) plane[b * width + a] = sample(grid, voxels, x, y, z);
  }
  return plane;
}

/** Linear interpolation; 0 outside. */
function sample(grid: Grid, voxels: Voxels, x: number, y: number, z: number): number {
  const [ni, nj, nk] = grid.size;
  if (!(x >= 0 && y >= 0 && z >= 0 && x <= ni - 1 && y <= nj - 1 && z <= nk - 1)) return 0;
  const [i, j, k] = [Math.min(x | 0, ni - 2), Math.min(y | 0, nj - 2), Math.min(z | 0, nk - 2)];
  const [fx, fy, fz] = [x - i, y - j, z - k];
  const first = (k * nj + j) * ni + i;
  const row = (start: number): number => (voxels[start] ?? 0) * (1 - fx) + (voxels[start + 1] ?? 0) * fx;
  const face = (start: number): number => row(start) * (1 - fy) + row(start + ni) * fy;
  return face(first) * (1 - fz) + face(first + ni * nj) * fz;
}
