// The brush: a disc in mm within one slice, whatever the voxels' shape, as the server's own brush is.

import { clamp, toIndex, type Grid } from "../image/grid";
import type { Vec3 } from "../image/vector";
import { grown, type BoxMask } from "./bits";

export const BRUSH_RADII_MM = [1, 1.5, 2, 3, 4, 5, 7, 10, 14, 20] as const;

/** Paint (or erase) a disc around a point in slice k; returns a new mask. */
export function stroke(mask: BoxMask, grid: Grid, points_mm: readonly Vec3[], k: number, radius_mm: number, erase: boolean): BoxMask {
  const discs = points_mm.map((point) => disc(grid, point, radius_mm)).filter((each) => each !== null);
  if (discs.length === 0) return mask;
  const low: Vec3 = [Math.min(...discs.map((each) => each.low[0])), Math.min(...discs.map((each) => each.low[1])), k];
  const high: Vec3 = [Math.max(...discs.map((each) => each.high[0])), Math.max(...discs.map((each) => each.high[1])), k];
  const painted = erase ? { ...mask, voxels: mask.voxels.slice() } : grown(mask, low, high);
  for (const each of discs) paint(painted, grid, each, k, radius_mm, erase);
  return painted;
}

interface Disc {
  readonly centre: readonly [number, number]; // i, j
  readonly low: readonly [number, number];
  readonly high: readonly [number, number];
}

function disc(grid: Grid, point_mm: Vec3, radius_mm: number): Disc | null {
  const [i, j] = toIndex(grid, point_mm);
  const reach = [radius_mm / grid.spacing_mm[0], radius_mm / grid.spacing_mm[1]] as const;
  if (i < -0.5 || j < -0.5 || i > grid.size[0] - 0.5 || j > grid.size[1] - 0.5) return null;
  const low = [clamp(Math.floor(i - reach[0]), 0, grid.size[0] - 1), clamp(Math.floor(j - reach[1]), 0, grid.size[1] - 1)] as const;
  const high = [clamp(Math.ceil(i + reach[0]), 0, grid.size[0] - 1), clamp(Math.ceil(j + reach[1]), 0, grid.size[1] - 1)] as const;
  return { centre: [i, j], low, high };
}

function paint(mask: BoxMask, grid: Grid, disc: Disc, k: number, radius_mm: number, erase: boolean): void {
  const c = k - mask.start[2];
  if (c < 0 || c >= mask.size[2]) return;
  for (let j = disc.low[1]; j <= disc.high[1]; j++) {
    const b = j - mask.start[1];
    if (b < 0 || b >= mask.size[1]) continue;
    for (let i = disc.low[0]; i <= disc.high[0]; i++) {
      const a = i - mask.start[0];
      if (a < 0 || a >= mask.size[0]) continue;
      const away = Math.hypot((i - disc.centre[0]) * grid.spacing_mm[0], (j - disc.centre[1]) * grid.spacing_mm[1]);
      if (away <= radius_mm) mask.voxels[(c * mask.size[1] + b) * mask.size[0] + a] = erase ? 0 : 1;
    }
  }
}
