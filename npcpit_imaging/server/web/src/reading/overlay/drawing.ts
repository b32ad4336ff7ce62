// What can be drawn over an image, all in world points and voxels of one series.

import type { Vec3 } from "../../image/vector";
import type { BoxMask } from "../../mask/bits";

export type Look = "proposal" | "drawn" | "confirmed" | "other" | "ghost" | "field" | "margin" | "earlier";

export type Drawing =
  | { readonly kind: "mask"; readonly series_uid: string; readonly mask: BoxMask; readonly look: Look; readonly label: string }
  | {
      readonly kind: "caliper";
      readonly series_uid: string | null; // null: drawn on any series of this space
      readonly axis: "long" | "short";
      readonly line: readonly [Vec3, Vec3];
      readonly look: Look;
      readonly label: string;
      readonly handles: boolean;
    }
  | { readonly kind: "cross"; readonly point: Vec3; readonly strong: boolean }
  | { readonly kind: "gesture"; readonly shape: "line" | "box" | "point" | "scribble"; readonly points: readonly Vec3[]; readonly label: string }
  | { readonly kind: "disc"; readonly point: Vec3; readonly radius_mm: number; readonly erase: boolean };

export interface Ink {
  readonly line: string;
  readonly fill: string;
  readonly dash: readonly number[];
  readonly width: number;
}

/** A proposal is dashed and red until a person has confirmed it; confirmed is green; the past is yellow. */
export const INK: Readonly<Record<Look, Ink>> = {
  proposal: { line: "#ff6b6b", fill: "rgba(255, 70, 70, 0.22)", dash: [6, 4], width: 2 },
  drawn: { line: "#ffb454", fill: "rgba(255, 180, 84, 0.18)", dash: [], width: 2 },
  confirmed: { line: "#7ee787", fill: "rgba(80, 220, 110, 0.14)", dash: [], width: 2 },
  other: { line: "rgba(160, 190, 220, 0.75)", fill: "rgba(0, 0, 0, 0)", dash: [], width: 1 },
  ghost: { line: "rgba(255, 224, 102, 0.8)", fill: "rgba(0, 0, 0, 0)", dash: [2, 4], width: 1.5 },
  earlier: { line: "#ffe066", fill: "rgba(255, 224, 102, 0.12)", dash: [], width: 1.5 },
  field: { line: "#79c0ff", fill: "rgba(0, 0, 0, 0)", dash: [2, 3], width: 2 },
  margin: { line: "rgba(121, 192, 255, 0.6)", fill: "rgba(0, 0, 0, 0)", dash: [2, 5], width: 1.5 },
};
