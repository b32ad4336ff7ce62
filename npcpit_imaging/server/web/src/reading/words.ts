// How values are said on the page: lengths to the tenth of a millimetre, changes with their sign, states in words.

import type { Earlier, LesionEntry } from "../api/types";

export const mm = (value: number | null | undefined): string => (value === null || value === undefined ? "-" : value.toFixed(1));

export function percent(value: number | null | undefined): string {
  if (value === null || value === undefined) return "-";
  return `${signed(value, 0)}%`;
}

export const signedMm = (value: number | null | undefined): string => (value === null || value === undefined ? "-" : signed(value, 1));

function signed(value: number, digits: number): string {
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return text;
  return (value < 0 ? "-" : "+") + text;
}

export const STATE_WORDS: Readonly<Record<string, string>> = {
  measured: "measured",
  too_small: "too small to measure",
  absent: "absent",
  not_assessed: "not evaluable",
  not_imaged: "not imaged",
  removed: "removed",
  merged: "merged",
  present: "present",
  increased: "increased",
  unequivocal_pd: "unequivocal progression",
  equivocal: "equivocal",
  unequivocal: "unequivocal",
  disproved: "disproved",
};

export const stateWords = (state: string | null): string => (state === null ? "to do" : (STATE_WORDS[state] ?? state));

const SHORT: Readonly<Record<string, string>> = { too_small: "too small", not_assessed: "NE", not_imaged: "NE", unequivocal_pd: "uneq. PD", unequivocal: "new", equivocal: "equiv." };

/** A value of the lesion table: a size, or the state that stands in its place. */
export function cell(state: string | null, size_mm: number | null): string {
  if (state === "measured" && size_mm !== null) return mm(size_mm);
  if (state === "too_small") return size_mm === null ? "too small" : `${mm(size_mm)} (too small)`;
  if (state === null) return "to do";
  return SHORT[state] ?? state;
}

export const earlierCell = (each: Earlier | undefined): string => (each === undefined ? "-" : cell(each.state, each.size_mm));

/** What the lesion is worth just now: the confirmed value, or the open one with a star. */
export function currentCell(entry: LesionEntry): string {
  if (entry.status === "confirmed") return cell(entry.state, entry.size_mm);
  const open = openSize(entry);
  return open === null ? "to do" : `${mm(open)}*`;
}

/** The size that a proposal or the reader's own caliper would give, not yet confirmed. */
export function openSize(entry: LesionEntry): number | null {
  if (entry.status !== "proposal" && entry.status !== "drawn") return null;
  const own = entry.nodal ? entry.short_caliper?.length_mm : entry.caliper?.length_mm;
  const found = entry.nodal ? entry.mask?.measurement.short_axis_mm : entry.mask?.measurement.longest_diameter_mm;
  if (entry.mask?.seed_only === true) return own ?? null;
  return found ?? own ?? null;
}

/** A time span as mm:ss, or h:mm:ss. */
export function clock(seconds: number): string {
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  const rest = `${two((seconds % 3600) / 60)}:${two(seconds % 60)}`;
  return seconds >= 3600 ? `${Math.floor(seconds / 3600)}:${rest}` : rest;
}

export const day = (iso: string | null | undefined): string => iso?.slice(0, 10) ?? "";
export const moment = (iso: string | null | undefined): string => iso?.slice(0, 16).replace("T", " ") ?? "";
