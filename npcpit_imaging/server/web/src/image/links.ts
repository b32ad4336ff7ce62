// How a point of one series is found in another: through a shared frame of reference, or through the server's
// registrations, one after the other. Never through slice numbers or image corners.

import { ApiError, post } from "../api/client";
import type { Link } from "../api/types";
import { IDENTITY, inverse, mapPoint, rigid, type Rigid } from "./transform";
import type { Vec3 } from "./vector";

export interface Placed {
  readonly uid: string;
  readonly frame_of_reference_uid: string | null;
}

export interface Path {
  readonly rigid: Rigid | null; // null when a hop is deformable
  readonly sameFrame: boolean;
  readonly uncertainty_mm: number | null;
  readonly verdict: "accept" | "warn";
  readonly reasons: readonly string[];
  readonly deformable: boolean;
  map(point_mm: Vec3): Promise<Vec3 | null>;
}

interface Hop {
  readonly to: string;
  readonly link: Link;
  readonly rigid: Rigid | null;
  readonly inverse: boolean;
}

type AskServer = (link: Link, point_mm: Vec3, inverse: boolean) => Promise<Vec3 | null>;

export class Links {
  private readonly frameOf = new Map<string, string>();
  private readonly hops = new Map<string, Hop[]>();

  constructor(
    series: readonly Placed[],
    readonly links: readonly Link[],
    private readonly askServer: AskServer,
  ) {
    for (const each of series) this.frameOf.set(each.uid, each.frame_of_reference_uid ?? each.uid);
    for (const link of links) {
      const [from, to] = [this.frameOf.get(link.from_series_uid), this.frameOf.get(link.to_series_uid)];
      if (!link.usable || from === undefined || to === undefined) continue;
      const matrix = link.matrix === null ? null : rigid(link.matrix.flat());
      this.addHop(from, { to, link, rigid: matrix, inverse: false });
      this.addHop(to, { to: from, link, rigid: matrix === null ? null : inverse(matrix), inverse: true });
    }
  }

  private addHop(from: string, hop: Hop): void {
    this.hops.set(from, [...(this.hops.get(from) ?? []), hop]);
  }

  /** The shortest way from one series' space to another's; null when they are not connected. */
  between(from: string, to: string): Path | null {
    const [start, end] = [this.frameOf.get(from), this.frameOf.get(to)];
    if (start === undefined || end === undefined) return null;
    const ways = new Map<string, Hop[]>([[start, []]]);
    const queue = [start];
    for (let here = queue.shift(); here !== undefined; here = queue.shift()) {
      const way = ways.get(here) ?? [];
      if (here === end) return this.path(way);
      for (const hop of this.hops.get(here) ?? []) {
        if (ways.has(hop.to)) continue;
        ways.set(hop.to, [...way, hop]);
        queue.push(hop.to);
      }
    }
    return null;
  }

  private path(hops: readonly Hop[]): Path {
    const all = hops.reduce<Rigid | null>((sum, hop) => (sum === null || hop.rigid === null ? null : after(sum, hop.rigid)), IDENTITY);
    const doubts = hops.map((hop) => hop.link.uncertainty_mm);
    return {
      rigid: all,
      sameFrame: hops.length === 0,
      uncertainty_mm: hops.length === 0 || doubts.some((each) => each === null) ? null : Math.hypot(...doubts.map((each) => each ?? 0)),
      verdict: hops.some((hop) => hop.link.verdict !== "accept") ? "warn" : "accept",
      reasons: hops.flatMap((hop) => hop.link.reasons),
      deformable: hops.some((hop) => hop.rigid === null),
      map: (point) => this.walk(hops, point),
    };
  }

  private async walk(hops: readonly Hop[], point_mm: Vec3): Promise<Vec3 | null> {
    let here: Vec3 | null = point_mm;
    for (const hop of hops) {
      if (here === null) return null;
      here = hop.rigid === null ? await this.askServer(hop.link, here, hop.inverse) : mapPoint(hop.rigid, here);
    }
    return here;
  }
}

/** First one transform, then the other. */
export function after(first: Rigid, then: Rigid): Rigid {
  const cell = (r: number, c: number): number =>
    [0, 1, 2, 3].reduce((sum, n) => sum + (then.matrix[4 * r + n] ?? 0) * (first.matrix[4 * n + c] ?? 0), 0);
  return { matrix: Array.from({ length: 16 }, (_, n) => cell(n >> 2, n & 3)) };
}

/** Asks the server to carry a point through a deformable registration; null where it cannot. */
export function serverMap(subject: string, timepoint: string): AskServer {
  const path = `links/${encodeURIComponent(subject)}/${encodeURIComponent(timepoint)}/points`;
  return async (link, point_mm, back) => {
    const [from_series_uid, to_series_uid] = back ? [link.to_series_uid, link.from_series_uid] : [link.from_series_uid, link.to_series_uid];
    try {
      const found = await post<{ points_mm: (Vec3 | null)[] }>(path, { from_series_uid, to_series_uid, points_mm: [point_mm] });
      return found.points_mm[0] ?? null;
    } catch (error) {
      if (error instanceof ApiError && error.status === 422) return null;
      throw error;
    }
  };
}

/** How well a registration repeats, in words that promise no more: independent runs, and there and back. */
export const repeats = (uncertainty_mm: number | null): string => (uncertainty_mm === null ? "" : `repeats within ${uncertainty_mm.toFixed(1)} mm`);

export const REPEATS_MEANS = "How far independent runs, and the way there and back, differ. It is no bound of the error: compare the anatomy.";
