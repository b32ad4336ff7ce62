// Window presets: the digits of the keyboard. The server gives them per series; a PET is shown dark on white.

import type { SeriesGeometry } from "../api/types";

export interface WindowPreset {
  readonly name: string;
  readonly lower: number;
  readonly upper: number;
  readonly invert: boolean;
}

export function presetsOf(geometry: SeriesGeometry): readonly WindowPreset[] {
  const invert = geometry.modality === "PT";
  const given = geometry.windows.map(({ name, low, high }) => ({ name, lower: low, upper: high, invert }));
  const [lower, upper] = geometry.value_range;
  return given.length > 0 ? given : [{ name: "Full", lower, upper: Math.max(upper, lower + 1), invert }];
}

/** A window dragged by the pointer: across changes its width, up and down its level. */
export function dragged(from: WindowPreset, right_px: number, down_px: number): WindowPreset {
  const width = from.upper - from.lower;
  const level = (from.upper + from.lower) / 2 + (down_px * width) / 400;
  const wide = Math.max(width * (1 + right_px / 300), width / 50);
  return { ...from, name: "", lower: level - wide / 2, upper: level + wide / 2 };
}

export function said(window: WindowPreset, unit: string): string {
  if (unit === "SUVbw") return `SUV ${window.lower.toFixed(1)}-${window.upper.toFixed(1)}`;
  return `W${Math.round(window.upper - window.lower)} L${Math.round((window.upper + window.lower) / 2)}`;
}
