// The server's answers, in its own words (see docs/server.md and /api/openapi.json).

import type { Vec3 } from "../image/vector";

export interface Session {
  readonly username: string;
  readonly name: string;
  readonly code: string;
  readonly roles: readonly string[];
  readonly csrf: string;
  readonly idle_s: number;
  readonly study: { readonly title: string; readonly measure_first: boolean };
  readonly statement: string;
  readonly method: "password" | "oidc";
}

export interface WorkItem {
  readonly subject: string;
  readonly timepoint: string;
  readonly date: string;
  readonly kind: string;
  readonly status: "open" | "in_progress" | "signed" | "locked" | "not_received";
  readonly due: string | null;
  readonly overdue: boolean;
  readonly version: number;
  readonly signed: string | null;
  readonly locked_because: string;
  readonly stale: readonly string[];
}

export interface SeriesLine {
  readonly uid: string;
  readonly modality: string;
  readonly description: string;
  readonly timepoint: string;
  readonly instances: number;
  readonly role: "diagnostic" | "pet" | "pet_ct" | "other";
  readonly frame_of_reference_uid: string | null;
  readonly findings: readonly Finding[];
}

export interface Finding {
  readonly code?: string;
  readonly severity?: string;
  readonly text: string;
}

export interface TimePointLine {
  readonly name: string;
  readonly date: string | null;
  readonly status: "signed" | "draft" | "locked" | "open";
  readonly series: readonly SeriesLine[];
}

export type Line = readonly [Vec3, Vec3];

export interface CaliperOn {
  readonly series_uid: string;
  readonly start_mm: Vec3;
  readonly end_mm: Vec3;
  readonly length_mm: number;
}

export interface MaskMeasurement {
  readonly longest_diameter_mm: number | null;
  readonly short_axis_mm: number | null;
  readonly volume_ml: number;
  readonly longest: Line | null;
  readonly short: Line | null;
  readonly slice_index_k: number | null;
  readonly components: number;
  readonly findings: readonly Finding[];
}

export interface MaskRef {
  readonly digest: string;
  readonly series_uid: string;
  readonly origin: string;
  readonly segmenter: string;
  readonly seconds: number | null;
  readonly measurement: MaskMeasurement;
  readonly uptake: { readonly suv_max: number; readonly suv_mean: number; readonly suv_peak: number; readonly mtv_ml: number; readonly tlg_g: number } | null;
  readonly seed_only: boolean;
}

export interface Mask {
  readonly digest: string;
  readonly series_uid: string;
  readonly shape_kji: Vec3;
  readonly start_kji: Vec3;
  readonly size_kji: Vec3;
  readonly bits: string;
}

export interface Earlier {
  readonly timepoint: string;
  readonly date: string | null;
  readonly state: string;
  readonly longest_diameter_mm: number | null;
  readonly short_axis_mm: number | null;
  readonly size_mm: number | null;
  readonly field: string | null;
  readonly endoscopy: string | null;
  readonly series_uid: string | null;
  readonly caliper: Line | null;
  readonly short_caliper: Line | null;
  readonly mask_digest: string | null;
}

export interface Ghost {
  readonly timepoint: string;
  readonly start_mm: Vec3;
  readonly end_mm: Vec3;
  readonly short: Line | null;
  readonly mapped_by: string;
  readonly uncertainty_mm: number | null;
}

export type LesionStatus = "todo" | "proposal" | "drawn" | "confirmed" | "rejected";

export interface LesionEntry {
  readonly lesion: string;
  readonly role: "TARGET" | "NON-TARGET" | "NEW";
  readonly organ: string;
  readonly location: string;
  readonly nodal: boolean;
  readonly irradiated: boolean;
  readonly parent: string;
  readonly own: boolean;
  readonly status: LesionStatus;
  readonly state: string | null;
  readonly states: readonly string[];
  readonly accepted: string;
  readonly longest_diameter_mm: number | null;
  readonly short_axis_mm: number | null;
  readonly size_mm: number | null;
  readonly mask: MaskRef | null;
  readonly caliper: CaliperOn | null;
  readonly short_caliper: CaliperOn | null;
  readonly field: string | null;
  readonly endoscopy: string | null;
  readonly merged_into: string;
  readonly comment: string;
  readonly findings: readonly Finding[];
  readonly earlier: readonly Earlier[];
  readonly ghost: Ghost | null;
  readonly seed_mm: Vec3 | null;
  readonly change: { readonly baseline_percent: number | null; readonly nadir_percent: number | null; readonly nadir_mm: number | null };
}

export interface TimelineRow {
  readonly timepoint: string;
  readonly date: string | null;
  readonly sum_mm: number | null;
  readonly sum_complete: boolean;
  readonly change_percent: number | null;
  readonly change_nadir_mm: number | null;
  readonly change_nadir_percent: number | null;
  readonly target: string | null;
  readonly non_target: string | null;
  readonly new: string | null;
  readonly overall: string | null;
  readonly rule: string;
  readonly signed: string | null;
  readonly draft: boolean;
}

export interface LesionResponse {
  readonly lesion: string;
  readonly cycle: number | null;
  readonly response: string;
  readonly rule: string;
  readonly value_mm: number | null;
  readonly baseline_mm: number | null;
  readonly nadir_mm: number | null;
}

export interface Answer {
  readonly sum_mm: number | null;
  readonly sum_complete: boolean;
  readonly sum_assessed_mm: number | null;
  readonly missing: readonly string[];
  readonly baseline_mm: number | null;
  readonly nadir_mm: number | null;
  readonly nadir_at: string | null;
  readonly change_percent: number | null;
  readonly change_nadir_percent: number | null;
  readonly change_nadir_mm: number | null;
  readonly target: string | null;
  readonly non_target: string | null;
  readonly new: string | null;
  readonly overall: string | null;
  readonly rule: string | null;
  readonly target_rule: string | null;
  readonly non_target_rule: string | null;
  readonly irecist: string | null;
  readonly problem: string;
  readonly timeline: readonly TimelineRow[];
  readonly lesion_responses: readonly LesionResponse[];
}

export interface Check {
  readonly code: string;
  readonly severity: "error" | "warning" | "info";
  readonly text: string;
  readonly blocks: boolean;
  readonly lesion: string | null;
}

export interface Read {
  readonly subject: string;
  readonly timepoint: string;
  readonly date: string | null;
  readonly reader: string;
  readonly status: "draft" | "signed";
  readonly revision: number;
  readonly can_undo: boolean;
  readonly can_redo: boolean;
  readonly undo_says: string;
  readonly redo_says: string;
  readonly version: number;
  readonly reason: string;
  readonly signed: string | null;
  readonly seconds: number;
  readonly saved: string | null;
  readonly timepoints: readonly TimePointLine[];
  readonly treatments: readonly { readonly lesion: string; readonly cycle: number; readonly date: string }[];
  readonly notices: readonly string[];
  readonly lesions: readonly LesionEntry[];
  readonly read: { readonly comment: string; readonly tumour_marker: string | null };
  readonly answer: Answer;
  readonly checks: readonly Check[];
}

export interface KeyImage {
  readonly lesion: string;
  readonly title: string;
  readonly caption: string;
  readonly url: string;
}

export interface Prompt {
  readonly kind: "line" | "box" | "point" | "scribble";
  readonly points_mm: readonly Vec3[];
  readonly positive: boolean;
}

export type Change =
  | { readonly kind: "prompt"; readonly lesion: string; readonly series_uid: string; readonly prompts: readonly Prompt[]; readonly refine?: boolean }
  | {
      readonly kind: "edit_mask";
      readonly lesion: string;
      readonly series_uid: string;
      readonly operation: string;
      readonly points_mm?: readonly Vec3[];
      readonly radius_mm?: number;
      readonly in_slice?: boolean;
      readonly distance_mm?: number;
    }
  | { readonly kind: "caliper"; readonly lesion: string; readonly series_uid: string; readonly axis: "long" | "short"; readonly line_mm: Line | null }
  | { readonly kind: "confirm"; readonly lesion: string; readonly accept: "proposal" | "caliper" }
  | { readonly kind: "reject" | "reopen" | "remove_lesion"; readonly lesion: string }
  | { readonly kind: "state"; readonly lesion: string; readonly state: string; readonly merged_into?: string }
  | { readonly kind: "annotate"; readonly lesion: string; readonly field?: string | null; readonly endoscopy?: string | null; readonly comment?: string }
  | {
      readonly kind: "add_lesion";
      readonly role: string;
      readonly organ: string;
      readonly location: string;
      readonly nodal: boolean;
      readonly irradiated?: boolean;
      readonly parent?: string;
      readonly state?: string;
    }
  | { readonly kind: "read"; readonly comment?: string; readonly tumour_marker?: string | null };

export interface Changed {
  readonly read: Read;
  readonly mask: Mask | null;
}

export interface SeriesGeometry {
  readonly uid: string;
  readonly timepoint: string;
  readonly modality: string;
  readonly description: string;
  readonly frame_of_reference_uid: string | null;
  readonly unit: string;
  readonly shape_kji: Vec3;
  readonly spacing_mm: Vec3;
  readonly origin_mm: Vec3;
  readonly direction: readonly [Vec3, Vec3, Vec3];
  readonly dtype: "int16" | "float32";
  readonly scale: { readonly slope: number; readonly intercept: number };
  readonly value_range: readonly [number, number];
  readonly windows: readonly { readonly key: string; readonly name: string; readonly low: number; readonly high: number }[];
  readonly findings: readonly Finding[];
}

export interface Link {
  readonly from: string;
  readonly to: string;
  readonly from_series_uid: string;
  readonly to_series_uid: string;
  readonly kind: "rigid" | "deformable";
  readonly matrix: readonly number[] | readonly (readonly number[])[] | null;
  readonly verdict: "accept" | "warn" | "reject";
  readonly reasons: readonly string[];
  readonly uncertainty_mm: number | null;
  readonly quality: Readonly<Record<string, unknown>>;
  readonly usable: boolean;
  readonly problem: string;
}
