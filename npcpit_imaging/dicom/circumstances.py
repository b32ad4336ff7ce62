"""Read how a series was taken and of what body (DICOM PS3.3 C.7.1.3, C.7.2.2, C.7.6.4, C.8.9.1)."""

import math

from pydicom.dataset import Dataset

from npcpit_imaging.dicom.header import quiet, read_dataset
from npcpit_imaging.dicom.pet import read_headers
from npcpit_imaging.dicom.pet_timing import radiopharmaceutical, timing
from npcpit_imaging.dicom.scan import Series
from npcpit_imaging.dicom.values import first_text, number, text
from npcpit_imaging.errors import NpcpitError
from npcpit_imaging.study.circumstances import Circumstances, Contrast
from npcpit_imaging.volume.suv import DecayCorrection

NO_AGENT = ("", "NO", "NONE", "N", "N/A", "NO CONTRAST", "WITHOUT", "OFF", "0")
"""What scanners write into ContrastBolusAgent when they gave none."""

TALLEST_M = 2.6
"""A PatientSize above this was written in centimetres."""


def circumstances_of(series: Series) -> Circumstances:
    """Read the circumstances of a series; what is missing or unreadable stays unknown, and is never guessed.

    Args:
        series: A series of a scan.

    Raises:
        DicomError: A file cannot be read any more.
    """
    with quiet():
        first = read_dataset(series.first.path, pixels=False)
        pet = _pet(series) if series.modality == "PT" else Circumstances()
        return Circumstances(
            sex=first_text(first, "PatientSex").upper(),
            size_m=_size_m(first),
            weight_kg=_positive(first, "PatientWeight"),
            contrast=_contrast(first),
            tracer=pet.tracer,
            uptake_min=pet.uptake_min,
        )


def _contrast(dataset: Dataset) -> Contrast:
    agents = dataset.get("ContrastBolusAgentSequence")
    named = first_text(dataset, "ContrastBolusAgent").strip().upper() not in NO_AGENT
    amount = _positive(dataset, "ContrastBolusVolume") or _positive(dataset, "ContrastBolusTotalDose")
    return Contrast.GIVEN if named or agents or amount else Contrast.NOT_STATED


def _pet(series: Series) -> Circumstances:
    headers = read_headers(series)
    try:
        drug = radiopharmaceutical(headers[0])
    except NpcpitError:
        return Circumstances()
    return Circumstances(tracer=_tracer(drug), uptake_min=_uptake_min(headers, drug))


def _tracer(drug: Dataset) -> str:
    codes = drug.get("RadiopharmaceuticalCodeSequence")
    meaning = text(codes[0], "CodeMeaning") if codes else ""
    return meaning or text(drug, "Radiopharmaceutical")


def _uptake_min(headers: tuple[Dataset, ...], drug: Dataset) -> float | None:
    """Minutes from the injection to the time that decay is corrected to; None where the tags do not tell it safely."""
    try:
        half_life_s = number(drug, "RadionuclideHalfLife")
        decay = DecayCorrection(text(headers[0], "DecayCorrection"))
        if half_life_s is None or decay is DecayCorrection.ADMIN:
            return None
        return round(timing(headers, decay, half_life_s).elapsed_s / 60, 1)
    except (NpcpitError, ValueError):
        return None  # `no-suv` says why


def _size_m(dataset: Dataset) -> float | None:
    size = _positive(dataset, "PatientSize")
    return size / 100 if size is not None and size > TALLEST_M else size


def _positive(dataset: Dataset, keyword: str) -> float | None:
    try:
        value = number(dataset, keyword)
    except NpcpitError:
        return None
    return value if value is not None and math.isfinite(value) and value > 0 else None
