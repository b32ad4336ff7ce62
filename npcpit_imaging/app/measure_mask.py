"""The verb measure: one mask on one image, beside a reader's own calipers."""

from dataclasses import asdict
from pathlib import Path

from npcpit_imaging import __version__
from npcpit_imaging.app.images import open_image, open_mask
from npcpit_imaging.app.lesion_numbers import lesion_numbers
from npcpit_imaging.app.measure import JsonObject, MaskChoice, findings_json, in_suv, measurement_json, place_json
from npcpit_imaging.app.reading_calipers import caliper_faults
from npcpit_imaging.dicom.load import choose_series
from npcpit_imaging.dicom.scan import scan
from npcpit_imaging.errors import InputError, QuantityError
from npcpit_imaging.measurement.compare import caliper_findings, place_findings
from npcpit_imaging.segmentation.prompt import parse_axes
from npcpit_imaging.study.caliper import Caliper
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.study.measurement import Measurement
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume


def measure_mask(
    image: Path,
    mask: Path,
    *,
    choice: MaskChoice = MaskChoice(),
    modality: Modality = Modality.OT,
    unit: Unit | None = None,
    calipers: tuple[Caliper | None, Caliper | None] = (None, None),
) -> JsonObject:
    """Measure a mask on the voxels of its image, on a PET its uptake too; beside a reader's long and short caliper.

    A PET whose SUV cannot be trusted has diameters and volume all the same, no uptake, and the finding ``no-suv``.

    Raises:
        NpcpitError: The image or the mask cannot be used.
    """
    volume, no_suv = _in_suv_if_trusted(image, open_image(image, modality=modality, unit=unit))
    region = open_mask(mask, volume.geometry, roi=choice.roi, segment=choice.segment, label=choice.label)
    long, short = calipers
    _require_drawable(volume, calipers)
    numbers = lesion_numbers(volume, region, _files(image, volume))
    found = numbers.measurement
    findings = findings_json(
        tuple(
            dict.fromkeys(
                (
                    *volume.findings,
                    *region.findings,
                    *found.findings,
                    *(no_suv or numbers.findings),
                    *_caliper_findings(region, found, calipers),
                )
            )
        )
    )
    return {
        **measurement_json(found),
        **place_json(volume),
        "uptake": None if numbers.uptake is None else asdict(numbers.uptake),
        "reader_longest_diameter_mm": None if long is None else long.length_mm,
        "reader_short_axis_mm": None if short is None else short.length_mm,
        "provenance": {
            "image_digest": volume.digest,
            "mask_digest": region.digest,
            "series_uid": volume.series_uid,
            "unit": volume.unit.value,
            "engine_version": __version__,
            "findings": [each["code"] for each in findings],
        },
        "findings": findings,
        "image_digest": volume.digest,
        "mask_digest": region.digest,
    }


def _require_drawable(volume: Volume, calipers: tuple[Caliper | None, Caliper | None]) -> None:
    """Refuse a caliper that cannot have been drawn on this image: outside it, through its slices, less than a pixel."""
    for name, caliper in zip(("--caliper", "--short-caliper"), calipers, strict=True):
        faults = [] if caliper is None else caliper_faults(caliper, volume.geometry)
        if faults:
            raise InputError(f"{name}: {faults[0]}")


def _caliper_findings(
    region: Mask, found: Measurement, calipers: tuple[Caliper | None, Caliper | None]
) -> tuple[Finding, ...]:
    named = zip(("caliper", "short caliper"), calipers, strict=True)
    drawn = [(name, each) for name, each in named if each is not None]
    places = [finding for name, each in drawn for finding in place_findings(name, each, region, found)]
    return (*caliper_findings(found, *calipers), *places)


def _in_suv_if_trusted(image: Path, volume: Volume) -> tuple[Volume, tuple[Finding, ...]]:
    try:
        return in_suv(image, volume), ()
    except QuantityError as error:
        return volume, (Finding(code="no-suv", severity=Severity.WARNING, text=f"no SUV: {error}"),)


def parse_calipers(long: str | None, short: str | None) -> tuple[Caliper | None, Caliper | None]:
    """Read a reader's long and short axis, each ``x,y,z:x,y,z`` in LPS mm.

    Raises:
        InputError: One is no line, there is only a short one, or it is the longer one.
    """
    if short and not long:
        raise InputError("--short-caliper: expected --caliper beside it, found none")
    drawn = [Caliper(start_mm=line.start_mm, end_mm=line.end_mm) for line in parse_axes(long, short)]
    one, other, *_ = (*drawn, None, None)
    return one, other


def _files(image: Path, volume: Volume) -> list[Path]:
    """The DICOM files of a PET; none where the image is another kind of file."""
    if volume.modality is not Modality.PT or not volume.series_uid:
        return []
    series = choose_series(scan(image), series_uid=volume.series_uid, where=image.name)
    return [instance.path for instance in series.instances]
