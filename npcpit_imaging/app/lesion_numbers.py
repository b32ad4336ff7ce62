"""All numbers of one lesion's mask on one image: diameters and volume, on PET its uptake too, SULpeak where tags allow.

What the verbs of one image, the proposals of a study and the reading page's server have in common.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
        return LesionNumbers(measurement=found, uptake=None, findings=(_missing("no-suv", _unit(volume.unit)),))
    fraction, findings = _lean_fraction(files)
    values = uptake(volume, mask, lean_fraction=fraction)
    return LesionNumbers(measurement=found, uptake=values, findings=findings)


def _unit(unit: Unit) -> str:
    return "the PET's unit is not known" if unit is Unit.ARBITRARY else f"the PET is in {unit}, not {Unit.SUVBW}"


def with_findings(measurement: Measurement, *groups: Sequence[Finding]) -> Measurement:
    """A measurement beside which stands what else was noticed: of the image it rests on, and by who proposed the mask.

    Args:
        measurement: What was measured.
        groups: Findings; those that a person need not act on (``info``) are left out, and none stands twice.
    """
    more = [each for group in groups for each in group if each.severity is not Severity.INFO]
    return replace(measurement, findings=tuple(dict.fromkeys((*measurement.findings, *more))))


def _lean_fraction(files: Sequence[Path]) -> tuple[float | None, tuple[Finding, ...]]:
    if not files:
        return None, (_missing("sul-unknown", "the file says neither weight, height nor sex"),)
    try:
        return lean_body_fraction(list(files)), ()
    except NpcpitError as error:
        return None, (_missing("sul-unknown", str(error)),)


def _missing(code: str, why: str) -> Finding:
    what = "no SULpeak" if code == "sul-unknown" else "no SUV"
    severity = Severity.INFO if code == "sul-unknown" else Severity.WARNING
    return Finding(code=code, severity=severity, text=f"{what}: {why}")
