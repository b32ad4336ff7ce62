"""What each column of the research export's tables is: the data dictionary that lies beside them."""

from collections.abc import Iterable, Mapping

COLUMNS: Mapping[str, tuple[str, str]] = {
    "subject": ("", "study code of the subject"),
    "lesion": ("", "the lesion's name within the subject"),
    "timepoint": ("", "visit: BASELINE, FU1, ..."),
    "tracking_uid": ("", "the lesion's DICOM tracking UID, the same in SEG, SR and SDTM"),
    "reader": ("", "code of the reader"),
    "readers": ("", "codes of the readers who use this mask"),
    "day": ("d", "days from the subject's first treatment"),
    "modality": ("", "CT, MR or PT"),
    "irradiated": ("", "whether light reached the lesion"),
    "measurable": ("", "measurable by RECIST 1.1 at its baseline"),
    "nodal": ("", "lymph node: its size is its short axis"),
    "baseline_mm": ("mm", "size, or sum of diameters, at baseline"),
    "value_mm": ("mm", "size at the visit"),
    "sum_mm": ("mm", "sum of the target diameters; empty when a target has no value"),
    "change_percent": ("%", "change from baseline"),
    "best_change_percent": ("%", "smallest change before progression; at progression where there is none before"),
    "response": ("", "response at the visit; in rates: unconfirmed or confirmed"),
    "best": ("", "best response without confirmation"),
    "confirmed_best": ("", "best response with confirmation"),
    "bor": ("", "best overall response of the subject without confirmation"),
    "confirmed_bor": ("", "best overall response of the subject with confirmation"),
    "clinical_benefit": ("", "response, or stable for the protocol's minimum: Y, N, NA"),
    "irecist_bor": ("", "best iRECIST response"),
    "counted": ("", "whether the visit counts: not after progression, not before treatment"),
    "progression": ("", "whether the visit is progression"),
    "at_progression": ("", "whether the best change is that of progression"),
    "in_spider": ("", "whether the protocol shows the visit in a spider plot"),
    "estimate": ("", "estimate"),
    "lower": ("", "lower end of the 95 % interval"),
    "upper": ("", "upper end of the 95 % interval"),
    "method": ("", "how the interval was made"),
    "note": ("", "a fallback that was taken, or what must be known"),
    "endpoint": ("", "endpoint"),
    "level": ("", "lesion or patient"),
    "population": ("", "which units are counted"),
    "responders": ("", "units that responded"),
    "denominator": ("", "units that were counted"),
    "patients": ("", "patients they belong to"),
    "primary": ("", "whether this row is the primary endpoint"),
    "icc": ("", "intraclass correlation of lesions within patients"),
    "design_effect": ("", "variance relative to independent lesions"),
    "cycle": ("", "treatment cycle"),
    "term": ("", "CTCAE term"),
    "grade": ("", "CTCAE grade"),
    "p": ("", "two-sided p value"),
    "q": ("", "Benjamini-Hochberg adjusted p"),
    "odds_ratio": ("", "per standard deviation; yes against no"),
    "hazard_ratio": ("", "per standard deviation; yes against no"),
    "auc": ("", "area under the receiver operating curve"),
    "p_beyond_volume": ("", "p in a model that knows the logarithm of volume"),
    "odds_ratio_beyond_volume": ("", "per standard deviation, in a model that knows the logarithm of volume"),
    "p_shuffled": ("", "p of the same feature after each lesion's voxels were shuffled: a negative control"),
    "source": ("", "IMAGING or ENDOSCOPY: what the visit's response rests on; of a predictor: where it comes from"),
    "volume_ml": ("mL", "volume of the mask"),
    "longest_diameter_mm": ("mm", "longest axial diameter"),
    "short_axis_mm": ("mm", "largest extent perpendicular to it"),
    "mask_status": ("", "whether a reader confirmed the mask"),
    "adjudication": ("", "accepted, not accepted or stale, where an adjudicator chose one reader's reads; else empty"),
    "mask_sha256": ("", "digest of the mask in the study"),
    "settings_sha256": ("", "digest of the radiomics settings"),
    "state": ("", "what the reader found: measured, absent, too_small, not_assessed, ..."),
}
"""Unit and meaning of columns that several tables share."""


def dictionary_rows(tables: Mapping[str, Iterable[str]], words: Mapping[str, str]) -> list[dict[str, str]]:
    """A row per table and column.

    Args:
        tables: Columns of each table by file name.
        words: Meaning of columns that are a study's own: declared variables, features.
    """
    rows = []
    for table, columns in tables.items():
        for column in columns:
            unit, meaning = COLUMNS.get(column, ("", ""))
            unit = unit or _unit(column)
            said = words.get(column, "") or meaning or column.replace("_", " ")
            rows.append({"table": table, "column": column, "unit": unit, "meaning": said})
    return rows


def _unit(column: str) -> str:
    endings = {"_mm": "mm", "_ml": "mL", "_days": "d", "_day": "d", "_percent": "%", "_sha256": ""}
    return next((unit for ending, unit in endings.items() if column.endswith(ending)), "")
