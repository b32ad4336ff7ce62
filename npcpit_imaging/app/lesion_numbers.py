"""All numbers of one lesion's mask on one image: diameters and volume, on PET its uptake too, SULpeak where tags allow.

What the verbs of one image, the proposals of a study and the reading page's server have in common.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from npcpit_imaging.dicom.pet import lean_body_fraction
from npcpit_imaging.errors import NpcpitError
from npcpit_imaging.measurement.extent import measure
from npcpit_imaging.measurement.uptake import uptake
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.study.measurement import Measurement, Uptake
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume, require_same_grid


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionNumbers:
    """What was measured on one mask.

    Args:
        measurement: Diameters, volume and their findings.
        uptake: On a PET in SUVbw; None elsewhere, and for an empty mask.
        findings: Why a number of the uptake is missing: ``sul-unknown``, ``no-suv``.
    """

    measurement: Measurement
    uptake: Uptake | None
    findings: tuple[Finding, ...] = ()


def lesion_numbers(volume: Volume, mask: Mask, files: Sequence[Path] = ()) -> LesionNumbers:
    """Measure a lesion's mask on its image.

    Args:
        volume: The image; a PET in SUVbw (`app.series.open_series`, `app.measure.in_suv`).
        mask: On the image's own voxels.
        files: The PET's DICOM files, whose tags tell the lean body mass; none for NIfTI and NRRD.

    Raises:
        GeometryError: The mask lies on another grid.
        QuantityError: The PET holds NaN in the mask.
    """
    require_same_grid(volume, mask)
    found = measure(mask)
    if volume.modality is not Modality.PT or found.longest_diameter is None:
        return LesionNumbers(measurement=found, uptake=None)
    if volume.unit is not Unit.SUVBW:
        return LesionNumbers(measurement=found, uptake=None, findings=(_missing("no-suv", f"PET in {volume.unit}"),))
    fraction, findings = _lean_fraction(files)
    values = uptake(volume, mask, lean_fraction=fraction)
    return LesionNumbers(measurement=found, uptake=values, findings=findings)


def _lean_fraction(files: Sequence[Path]) -> tuple[float | None, tuple[Finding, ...]]:
    if not files:
        return None, (_missing("sul-unknown", "the file says neither weight, height nor sex"),)
    try:
        return lean_body_fraction(list(files)), ()
    except NpcpitError as error:
        return None, (_missing("sul-unknown", str(error)),)


def _missing(code: str, why: str) -> Finding:
    what = "no SULpeak" if code == "sul-unknown" else "no SUV"
    return Finding(code=code, severity=Severity.INFO, text=f"{what}: {why}")
