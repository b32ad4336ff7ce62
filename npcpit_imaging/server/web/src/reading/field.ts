// The irradiated field on the images: fetched for each series that is shown, and where a lesion lies to it by the plan.

import { ApiError, get } from "../api/client";
import type { LesionEntry, Mask } from "../api/types";
import { during } from "../dom/busy";
import { toIndex } from "../image/grid";
import { volumeOf, type SeriesVolume } from "../image/volume";
import { isSet, unpack, type BoxMask } from "../mask/bits";

export interface Field {
  readonly series_uid: string;
  readonly inside: BoxMask;
  readonly margin: BoxMask | null;
  readonly margin_mm: number;
  readonly source: string;
}

interface FieldAnswer {
  readonly in: Mask;
  readonly margin: Mask | null;
  readonly margin_mm: number | null;
  readonly source: string;
}

/** Fields by series, asked for once each. */
export class Fields {
  private readonly known = new Map<string, Field | null>();

  constructor(
    private readonly path: string,
    private readonly say: (text: string) => void,
    private readonly arrived: () => void,
  ) {}

  /** The field on a series; null while it is on its way, or when none is on record. */
  on(series_uid: string | undefined): Field | null {
    if (series_uid === undefined) return null;
    const found = this.known.get(series_uid);
    if (found === undefined) {
      this.known.set(series_uid, null);
      void this.later(series_uid);
    }
    return found ?? null;
  }

  /** The images come first: working out a field takes the server as long as sending them. */
  private async later(series_uid: string): Promise<void> {
    try {
      await (await volumeOf(series_uid)).loaded;
    } catch {
      return; // the side says that its series did not come
    }
    await during(this.fetch(series_uid));
  }

  private async fetch(series_uid: string): Promise<void> {
    try {
      const found = await get<FieldAnswer>(`${this.path}/field?series_uid=${encodeURIComponent(series_uid)}`);
      const margin = found.margin === null ? null : unpack(found.margin);
      this.known.set(series_uid, { series_uid, inside: unpack(found.in), margin, margin_mm: found.margin_mm ?? 0, source: found.source });
      this.arrived();
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) this.say(error instanceof Error ? error.message : String(error));
    }
  }
}

export type Position = "in" | "margin" | "out";

/** At least this part of a lesion lies in the field when the lesion does, as the server says it. */
const IN_FRACTION = 0.5;

export interface Placed {
  readonly position: Position;
  readonly inside_percent: number | null; // null: judged by the middle of its caliper alone
}

/** Where a mask lies to the field: in by half of it, out when neither field nor margin touches it. */
export function placeOfMask(mask: BoxMask, field: Field): Placed {
  const [ni, nj] = mask.size;
  let [all, inside, near] = [0, 0, 0];
  for (let n = 0; n < mask.voxels.length; n++) {
    if (mask.voxels[n] !== 1) continue;
    const at = [(n % ni) + mask.start[0], (Math.floor(n / ni) % nj) + mask.start[1], Math.floor(n / (ni * nj)) + mask.start[2]] as const;
    all += 1;
    if (isSet(field.inside, ...at)) inside += 1;
    else if (field.margin !== null && isSet(field.margin, ...at)) near += 1;
  }
  const part = all === 0 ? 0 : inside / all;
  return { position: part >= IN_FRACTION ? "in" : inside + near > 0 ? "margin" : "out", inside_percent: Math.round(100 * part) };
}

/** Where a lesion lies by the plan: by its mask, else by the middle of its caliper; null when neither is drawn on this series. */
export function placeOf(entry: LesionEntry, mask: BoxMask | null, field: Field, volume: SeriesVolume): Placed | null {
  if (field.series_uid !== volume.uid) return null;
  if (mask !== null && entry.mask?.series_uid === volume.uid && mask.voxels.length > 0) return placeOfMask(mask, field);
  const line = entry.caliper;
  if (line?.series_uid !== volume.uid) return null;
  const middle = [0, 1, 2].map((axis) => ((line.start_mm[axis] ?? NaN) + (line.end_mm[axis] ?? NaN)) / 2) as [number, number, number];
  const [i, j, k] = toIndex(volume.grid, middle).map(Math.round) as [number, number, number];
  const near = field.margin !== null && isSet(field.margin, i, j, k);
  return { position: isSet(field.inside, i, j, k) ? "in" : near ? "margin" : "out", inside_percent: null };
}

const WORDS: Readonly<Record<Position, string>> = { in: "in the field", margin: "at its margin", out: "outside" };

/** In words, with what it rests on and the doubt about the edge. */
export function placeSaid(placed: Placed, margin_mm: number): string {
  const how = placed.inside_percent === null ? "by the middle of the caliper" : `${placed.inside_percent} % of the mask inside`;
  return `${WORDS[placed.position]} (${how}${margin_mm > 0 ? `, edge +/- ${margin_mm.toFixed(1)} mm` : ""})`;
}
