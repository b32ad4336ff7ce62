"""The verbs that read a series and say what it is: `npcpit volume` and `npcpit suv`."""

from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path

from npcpit_imaging.app.images import open_image, open_mask
from npcpit_imaging.app.measure import JsonObject, MaskChoice, describe_volume, findings_json
from npcpit_imaging.app.outputs import require_output
from npcpit_imaging.config.series import Choice, SeriesPolicy
from npcpit_imaging.dicom.load import choose_series, left_out, load_series
from npcpit_imaging.dicom.pet import SuvScaling, suv_scaling, to_suv
from npcpit_imaging.dicom.scan import scan
from npcpit_imaging.errors import InputError
from npcpit_imaging.measurement.uptake import uptake
from npcpit_imaging.volume.files import write_volume
from npcpit_imaging.volume.suv import SuvKind
from npcpit_imaging.volume.volume import Modality, Unit, Volume

SCALED = ("suv_max", "suv_mean", "suv_peak", "tlg_g")
"""Values of an uptake that are in the unit of the SUV."""


class Doubt(StrEnum):
    """What may be doubtful in a series and is refused or allowed by policy: the fields of `SeriesPolicy`."""

    GAP = "gap"
    TILT = "tilt"
    SINGLE_SLICE = "single_slice"
    DUPLICATE = "duplicate"
    LOSSY = "lossy"


def policy_of(*, allow: Sequence[Doubt] = (), refuse: Sequence[Doubt] = ()) -> SeriesPolicy:
    """The default policy with some choices changed.

    Raises:
        InputError: One is both allowed and refused.
    """
    both = sorted(set(allow) & set(refuse))
    if both:
        raise InputError(f"policy: {', '.join(both)} both allowed and refused")
    choices = dict.fromkeys(allow, Choice.ALLOW) | dict.fromkeys(refuse, Choice.REFUSE)
    return SeriesPolicy.model_validate({doubt.value: choice for doubt, choice in choices.items()})


def convert(
    series: Path,
    output: Path,
    *,
    series_uid: str | None = None,
    part: int | None = None,
    policy: SeriesPolicy = SeriesPolicy(),
) -> JsonObject:
    """Write a series as NIfTI or NRRD, its stored quantity unchanged (a PET in BQML stays in BQML).

    Args:
        series: A DICOM folder or file, NIfTI or NRRD.
        output: x.nii.gz, x.nii or x.nrrd.
        series_uid: Which series, where the folder holds several.
        part: Which volume of a series that holds several, counted from 1 in the order the refusal lists them.
        policy: How strict to be.

    Raises:
        InputError: Nothing readable is there, or the output cannot be written.
        SeriesError: The series is not one volume.
    """
    require_output(output, series)
    volume = open_image(series, series_uid=series_uid, part=part, policy=policy)
    write_volume(volume, output)
    return {**describe_volume(volume), "output": str(output)}


def suv(
    series: Path,
    mask: Path | None = None,
    *,
    kind: SuvKind = SuvKind.BW,
    choice: MaskChoice = MaskChoice(),
    series_uid: str | None = None,
) -> JsonObject:
    """SUV of a PET series: factor, largest and mean value, of the whole volume or within a mask.

    Raises:
        InputError: There is no such series, or a region must be chosen.
        QuantityError: A tag is missing or doubtful; the message names it.
    """
    scanned = scan(series)
    found = choose_series(scanned, series_uid=series_uid, where=series.name)
    scaling = suv_scaling(found, kind=kind)
    stored = load_series(found)
    volume = to_suv(stored, found, kind=kind)
    result: JsonObject = {
        "series_uid": found.series_uid,
        "unit": volume.unit.value,
        "kind": kind.value,
        "factor": scaling.factor,
        "source": scaling.source,
        "decay_s": None if scaling.timing is None else scaling.timing.elapsed_s,
        "findings": findings_json((*stored.findings, *left_out(scanned), *scaling.findings)),
    }
    if mask is None:
        return {**result, "suv_max": float(volume.voxels.max()), "suv_mean": float(volume.voxels.mean(dtype=float))}
    by_weight = scaling if kind is SuvKind.BW else suv_scaling(found)
    return {**result, **_within(_in_suvbw(stored, by_weight), mask, choice, scaling.factor / by_weight.factor)}


def _in_suvbw(stored: Volume, by_weight: SuvScaling) -> Volume:
    return Volume(
        voxels=stored.voxels * by_weight.factor, geometry=stored.geometry, modality=Modality.PT, unit=Unit.SUVBW
    )


def _within(volume_suvbw: Volume, mask: Path, choice: MaskChoice, ratio: float) -> JsonObject:
    """Uptake of a region; another body size than weight is a ratio to it, the same for every voxel."""
    region = open_mask(mask, volume_suvbw.geometry, roi=choice.roi, segment=choice.segment, label=choice.label)
    values = asdict(uptake(volume_suvbw, region))
    return {name: value * ratio if name in SCALED else value for name, value in values.items()}
