// A regular grid in patient space (DICOM PS3.3 C.7.6.2.1.1): the same numbers as the server's Geometry.
// Indices are (i, j, k): column, row, slice. k counts along the grid's own third axis, as the server's arrays do.

import { add, dot, scale, subtract, type Vec3 } from "./vector";

export interface Grid {
  readonly size: Vec3; // columns, rows, slices
  readonly spacing_mm: Vec3;
  readonly origin_mm: Vec3; // centre of voxel (0, 0, 0)
  readonly axes: readonly [Vec3, Vec3, Vec3]; // unit vectors along i, j, k
}

export function toWorld(grid: Grid, index: Vec3): Vec3 {
  const [i, j, k] = grid.axes;
  const along = add(scale(i, index[0] * grid.spacing_mm[0]), scale(j, index[1] * grid.spacing_mm[1]));
  return add(add(grid.origin_mm, along), scale(k, index[2] * grid.spacing_mm[2]));
}

export function toIndex(grid: Grid, point_mm: Vec3): Vec3 {
  const offset = subtract(point_mm, grid.origin_mm);
  return [
    dot(offset, grid.axes[0]) / grid.spacing_mm[0],
    dot(offset, grid.axes[1]) / grid.spacing_mm[1],
    dot(offset, grid.axes[2]) / grid.spacing_mm[2],
  ];
}

/** The slice nearest to a point, kept inside the grid. */
export function sliceAt(grid: Grid, point_mm: Vec3): number {
  return clamp(Math.round(toIndex(grid, point_mm)[2]), 0, grid.size[2] - 1);
}

export function contains(grid: Grid, point_mm: Vec3): boolean {
  const index = toIndex(grid, point_mm);
  return [0, 1, 2].every((axis) => (index[axis] ?? NaN) >= -0.5 && (index[axis] ?? NaN) <= (grid.size[axis] ?? 0) - 0.5);
}

export function centre(grid: Grid): Vec3 {
  return toWorld(grid, [(grid.size[0] - 1) / 2, (grid.size[1] - 1) / 2, (grid.size[2] - 1) / 2]);
}

/** The point moved along the normal into slice k: what a reader points at lies in the slice that is shown. */
export function intoSlice(grid: Grid, point_mm: Vec3, k: number): Vec3 {
  const index = toIndex(grid, point_mm);
  return toWorld(grid, [index[0], index[1], k]);
}

export const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);
