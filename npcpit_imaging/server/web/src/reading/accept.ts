// Which numbers a confirmation takes: the proposal's, or the reader's own caliper. A node is measured by both axes.

import type { LesionEntry, Line } from "../api/types";

export type Accept = "proposal" | "caliper";

/** A mask whose size may be confirmed: not a mere place carried over from the baseline, and not empty. */
export function maskMeasured(entry: LesionEntry): boolean {
  return entry.mask !== null && !entry.mask.seed_only && entry.mask.measurement.longest !== null;
}

export function caliperMeasured(entry: LesionEntry): boolean {
  return entry.caliper !== null && (!entry.nodal || entry.short_caliper !== null);
}

/** What Enter would confirm; null when there is nothing to confirm yet. */
export function offered(entry: LesionEntry): Accept | null {
  if (entry.status === "confirmed" || entry.status === "todo") return null;
  if (entry.status === "drawn" && caliperMeasured(entry)) return "caliper";
  if (maskMeasured(entry)) return "proposal";
  return caliperMeasured(entry) ? "caliper" : null;
}

/** The lines to show: those whose numbers count or would count. */
export function shownLines(entry: LesionEntry): { long: Line | null; short: Line | null; own: boolean; series_uid: string | null } {
  const accepted = entry.status === "confirmed" ? entry.accepted : offered(entry);
  const own = accepted === "caliper" || (accepted === null && entry.caliper !== null) || !maskMeasured(entry);
  if (own) {
    const line = (on: LesionEntry["caliper"]): Line | null => (on === null ? null : [on.start_mm, on.end_mm]);
    const series_uid = entry.caliper?.series_uid ?? entry.short_caliper?.series_uid ?? null;
    return { long: line(entry.caliper), short: line(entry.short_caliper), own, series_uid };
  }
  const found = entry.mask?.measurement;
  return { long: found?.longest ?? null, short: found?.short ?? null, own, series_uid: entry.mask?.series_uid ?? null };
}
