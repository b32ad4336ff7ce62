// A series' voxels in the browser: fetched from the server in runs of slices, nearest to what is looked at first.
// They are the server's own volume (rescaled, slices sorted by position), so masks, calipers and pixels share one grid.

import { bytes, get } from "../api/client";
import type { SeriesGeometry } from "../api/types";
import { clamp, type Grid } from "./grid";
import { toVec3 } from "./vector";

export type Voxels = Int16Array | Float32Array;

const RUN = 12;
const PARALLEL = 3;

export class SeriesVolume {
  readonly grid: Grid;
  readonly voxels: Voxels;
  private readonly runs = new Map<number, Promise<void>>();
  private readonly done = new Set<number>();
  private finish: () => void = () => undefined;
  /** Settles once every slice is there. */
  readonly loaded = new Promise<void>((resolve) => (this.finish = resolve));

  constructor(readonly geometry: SeriesGeometry) {
    const [k, j, i] = geometry.shape_kji;
    this.grid = gridOf(geometry);
    this.voxels = isWhole(geometry) ? new Int16Array(i * j * k) : new Float32Array(i * j * k);
  }

  get uid(): string {
    return this.geometry.uid;
  }

  get sliceLength(): number {
    return this.grid.size[0] * this.grid.size[1];
  }

  get complete(): boolean {
    return this.done.size === Math.ceil(this.grid.size[2] / RUN);
  }

  async slice(k: number): Promise<Voxels> {
    await this.run(Math.floor(k / RUN));
    return this.voxels.subarray(k * this.sliceLength, (k + 1) * this.sliceLength);
  }

  /** Fetch everything, outwards from a slice. */
  async fetchAll(from: number, progress: () => void = () => undefined): Promise<void> {
    const first = Math.floor(clamp(from, 0, this.grid.size[2] - 1) / RUN);
    const runs = Array.from({ length: Math.ceil(this.grid.size[2] / RUN) }, (_, n) => n);
    runs.sort((a, b) => Math.abs(a - first) - Math.abs(b - first));
    const workers = Array.from({ length: PARALLEL }, async () => {
      for (let next = runs.shift(); next !== undefined; next = runs.shift()) {
        await this.run(next);
        progress();
      }
    });
    await Promise.all(workers);
  }

  private run(n: number): Promise<void> {
    const known = this.runs.get(n);
    if (known !== undefined) return known;
    const fetched = this.fetchRun(n).catch((error: unknown) => {
      this.runs.delete(n);
      throw error;
    });
    this.runs.set(n, fetched);
    return fetched;
  }

  private async fetchRun(n: number): Promise<void> {
    const first = n * RUN;
    const many = Math.min(RUN, this.grid.size[2] - first);
    const buffer = await bytes(`series/${encodeURIComponent(this.uid)}/voxels?first=${first}&count=${many}`);
    const stored = this.geometry.dtype === "int16" ? new Int16Array(buffer) : new Float32Array(buffer);
    if (stored.length !== many * this.sliceLength) {
      throw new RangeError(`series ${this.uid}: expected ${many * this.sliceLength} voxels from slice ${first}, found ${stored.length}`);
    }
    const { slope, intercept } = this.geometry.scale;
    const place = this.voxels.subarray(first * this.sliceLength);
    if (slope === 1 && intercept === 0) place.set(stored);
    else for (let v = 0; v < stored.length; v++) place[v] = (stored[v] ?? 0) * slope + intercept;
    this.done.add(n);
    if (this.complete) this.finish();
  }
}

/** True when rescaled values are whole numbers that fit 16 bits. */
function isWhole(geometry: SeriesGeometry): boolean {
  const { slope, intercept } = geometry.scale;
  const [low, high] = geometry.value_range;
  return geometry.dtype === "int16" && slope === 1 && Number.isInteger(intercept) && low >= -32768 && high <= 32767;
}

export function gridOf(geometry: SeriesGeometry): Grid {
  const [k, j, i] = geometry.shape_kji;
  const column = (n: 0 | 1 | 2) => toVec3(geometry.direction.map((row) => row[n]));
  return {
    size: [i, j, k],
    spacing_mm: geometry.spacing_mm,
    origin_mm: geometry.origin_mm,
    axes: [column(0), column(1), column(2)],
  };
}

const volumes = new Map<string, Promise<SeriesVolume>>();

/** The volume of a series; opened once. */
export function volumeOf(uid: string): Promise<SeriesVolume> {
  const known = volumes.get(uid);
  if (known !== undefined) return known;
  const opened = get<SeriesGeometry>(`series/${encodeURIComponent(uid)}`).then((geometry) => new SeriesVolume(geometry));
  volumes.set(uid, opened);
  opened.catch(() => volumes.delete(uid));
  return opened;
}

/** Let go of every volume: another subject is opened. */
export const forgetVolumes = (): void => volumes.clear();
