"""The verbs for one image without a study: register and radiomics, and what all of them say of an image.

Each takes paths, joins the workers it needs and returns a value that the command line prints.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

from npcpit_imaging.app.images import open_image, open_mask
from npcpit_imaging.app.outputs import require_different, require_output
from npcpit_imaging.app.study import shipped
from npcpit_imaging.config.base import load
from npcpit_imaging.config.imaging import ImagingSettings
from npcpit_imaging.config.registration import RegistrationPlan, load_plan
from npcpit_imaging.dicom.load import choose_series
from npcpit_imaging.dicom.pet import to_suv
from npcpit_imaging.dicom.scan import scan
from npcpit_imaging.dicom.spatial_registration import write_spatial_registration
from npcpit_imaging.errors import InputError
from npcpit_imaging.radiomics.extract import extract
from npcpit_imaging.registration.align import Alignment, align
from npcpit_imaging.registration.files import write_transform
from npcpit_imaging.registration.quality import Verdict
from npcpit_imaging.registration.search import Progress
from npcpit_imaging.study.finding import Finding
from npcpit_imaging.study.measurement import Measurement
from npcpit_imaging.volume.files import is_image_file, write_volume
from npcpit_imaging.volume.resample import resample
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume

JsonObject = dict[str, object]

SETTINGS_FILES = {Modality.CT: "ct.toml", Modality.MR: "mr.toml", Modality.PT: "pet.toml"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskChoice:
    """Which region of a mask file is meant; only the one that fits the file may be needed."""

    roi: str | None = None
    segment: int | None = None
    label: int | None = None


def findings_json(findings: tuple[Finding, ...]) -> list[JsonObject]:
    """Findings as JSON-able objects."""
    return [{**asdict(finding), "severity": finding.severity.value} for finding in findings]


def default_settings(modality: Modality) -> ImagingSettings:
    """The shipped imaging settings of a modality; an image that does not say its modality is treated as MR."""
    return load(shipped("configs") / "npc-pit" / "imaging" / SETTINGS_FILES.get(modality, "mr.toml"), ImagingSettings)


def default_plan(fixed: Modality, moving: Modality) -> RegistrationPlan:
    """The shipped registration plan of a pair of modalities."""
    pair = {fixed, moving}
    if pair == {Modality.MR, Modality.PT}:
        name = "mr-pt"
    else:
        name = "ct-ct" if pair == {Modality.CT} else "mr-mr" if pair <= {Modality.MR, Modality.OT} else "ct-mr"
    return load(shipped("configs") / "npc-pit" / "imaging" / "registration" / f"{name}.toml", RegistrationPlan)


def describe_volume(volume: Volume) -> JsonObject:
    """Size, spacing, place, unit and findings of a volume."""
    geometry = volume.geometry
    return {
        "modality": volume.modality.value,
        "unit": volume.unit.value,
        "series_uid": volume.series_uid,
        "size_ijk": list(geometry.shape_kji[::-1]),
        "spacing_mm": [round(value, 6) for value in geometry.spacing_mm],
        "origin_mm": [round(value, 4) for value in geometry.origin_mm],
        "direction": [list(row) for row in geometry.direction],
        "frame_of_reference_uid": geometry.frame_of_reference_uid,
        "off_axial_degrees": round(geometry.off_axial_degrees, 3),
        "digest": volume.digest,
        "findings": findings_json(volume.findings),
    }


def register(
    fixed: Path,
    moving: Path,
    output: Path,
    *,
    resampled: Path | None = None,
    plan: Path | None = None,
    progress: Progress | None = None,
) -> Alignment:
    """Register MOVING onto FIXED; write the ITK transform of fixed to moving points, or a DICOM object (``x.dcm``)."""
    for path in filter(None, (output, resampled)):
        require_output(path, fixed, moving, plan)
    require_different((output, resampled))
    one, other = open_image(fixed), open_image(moving)
    chosen = load_plan(plan) if plan else default_plan(one.modality, other.modality)
    dicom = output.suffix.lower() == ".dcm"
    if dicom:
        _require_dicom(fixed, moving)
    alignment = align(one, other, chosen, progress=progress)
    if dicom:
        _write_dicom(alignment, output, fixed, moving)
    else:
        write_transform(alignment.transform, output)
    if resampled is not None:
        write_volume(resample(other, one.geometry, alignment.transform), resampled)
    return alignment


def _require_dicom(*images: Path) -> None:
    for image in images:
        if image.is_file() and is_image_file(image):
            raise InputError(f"{image.name}: a DICOM registration object needs two DICOM series, found another file")


def _write_dicom(alignment: Alignment, output: Path, fixed: Path, moving: Path) -> None:
    here, there = (choose_series(scan(path), where=path.name) for path in (fixed, moving))
    write_spatial_registration(
        output,
        alignment.transform,
        fixed=[instance.path for instance in here.instances],
        moving=[instance.path for instance in there.instances],
        comment=f"Registration: {alignment.quality.verdict}",
    )


def in_suv(path: Path, volume: Volume) -> Volume:
    """A PET read from DICOM in SUVbw; everything else as it is."""
    if volume.modality is Modality.PT and volume.series_uid and volume.unit.value != "SUVbw":
        return to_suv(volume, choose_series(scan(path), series_uid=volume.series_uid, where=path.name))
    return volume


def place_json(volume: Volume) -> JsonObject:
    """Whether end points and slices of a measurement are the patient's; without, only the voxels' size is known."""
    return {"in_patient_space": all(finding.code != "no-patient-space" for finding in volume.findings)}


def measurement_json(measurement: Measurement) -> JsonObject:
    """A measurement with its end points, as JSON-able objects; diameters are null for an empty mask."""
    longest, short = measurement.longest_diameter, measurement.short_axis
    return {
        "longest_diameter_mm": measurement.longest_diameter_mm,
        "short_axis_mm": measurement.short_axis_mm,
        "bidimensional_product_mm2": measurement.bidimensional_product_mm2,
        "volume_ml": measurement.volume_ml,
        "slice_index_k": measurement.slice_index_k,
        "slice_position_mm": measurement.slice_position_mm,
        "longest_diameter_ends_mm": None if longest is None else [list(longest.start_mm), list(longest.end_mm)],
        "short_axis_ends_mm": None if short is None else [list(short.start_mm), list(short.end_mm)],
        "components": measurement.components,
        "convention": measurement.convention,
        "findings": findings_json(measurement.findings),
    }


def radiomics(
    image: Path,
    mask: Path,
    *,
    settings: Path | None = None,
    choice: MaskChoice = MaskChoice(),
    modality: Modality = Modality.OT,
    unit: Unit | None = None,
) -> JsonObject:
    """IBSI features of a mask, each with its status, where they come from, and what was noticed of image and mask.

    Raises:
        NpcpitError: The image or the mask cannot be used.
    """
    volume = in_suv(image, open_image(image, modality=modality, unit=unit))
    region: Mask = open_mask(mask, volume.geometry, roi=choice.roi, segment=choice.segment, label=choice.label)
    chosen = load(settings, ImagingSettings) if settings else default_settings(volume.modality)
    table = extract(volume, region, chosen.radiomics)
    if not table.features:
        raise InputError(f"{mask}: no feature was asked for by the settings")
    return {
        "provenance": asdict(table.provenance),
        "features": [asdict(feature) for feature in table.features],
        "findings": findings_json((*volume.findings, *region.findings)),
    }


def alignment_json(alignment: Alignment) -> JsonObject:
    """A registration with its quality, as JSON-able objects."""
    quality = alignment.quality
    return {
        "verdict": quality.verdict.value,
        "reasons": list(quality.reasons),
        "uncertainty_mm": quality.uncertainty_mm,
        "rotation": alignment.rigid.rotation.tolist(),
        "translation_mm": alignment.rigid.translation_mm.tolist(),
        "metric": alignment.metric,
        "quality": asdict(quality.numbers),
    }


def is_usable(alignment: Alignment) -> bool:
    """Whether a registration was not rejected."""
    return alignment.quality.verdict is not Verdict.REJECT
