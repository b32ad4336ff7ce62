// Which series to show: the diagnostic one of the wanted modality, else whichever there is.

import type { Read, SeriesLine } from "../api/types";

const ORDER: readonly SeriesLine["role"][] = ["diagnostic", "pet", "pet_ct", "other"];

export function seriesOf(read: Read, timepoint: string): readonly SeriesLine[] {
  const found = read.timepoints.find((each) => each.name === timepoint)?.series ?? [];
  return [...found].sort((a, b) => ORDER.indexOf(a.role) - ORDER.indexOf(b.role));
}

/** The series of a visit to show for a modality; one that is described alike when there are several. */
export function pick(series: readonly SeriesLine[], modality: string, like = ""): SeriesLine | null {
  const fit = series.filter((each) => each.modality === modality);
  return fit.find((each) => each.description === like) ?? fit[0] ?? series[0] ?? null;
}

export const modalitiesOf = (series: readonly SeriesLine[]): string[] => ["CT", "MR", "PT"].filter((name) => series.some((each) => each.modality === name));
