"""The verb that turns a mask of any kind into one of another kind, voxel by voxel the same."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path

import numpy as np

from npcpit_imaging.app.images import open_grid, open_mask
from npcpit_imaging.app.measure import JsonObject, MaskChoice, findings_json
from npcpit_imaging.app.outputs import require_output
from npcpit_imaging.dicom.derived import derived_uid
from npcpit_imaging.dicom.rtstruct_write import Region, write_rtstruct
from npcpit_imaging.dicom.seg import SegmentedLesion, write_seg
from npcpit_imaging.errors import InputError
from npcpit_imaging.study.lesion import Lesion, LesionRole
from npcpit_imaging.volume.files import is_image_file, write_mask
from npcpit_imaging.volume.volume import Mask

CONVERTED = "converted"
"""Name of the algorithm in a SEG whose mask was drawn elsewhere: the file it came from does not say by what."""


class MaskForm(StrEnum):
    """Which DICOM object a mask is written as."""

    RTSTRUCT = "rtstruct"
    SEG = "seg"


def convert_mask(
    image: Path,
    mask: Path,
    output: Path,
    *,
    form: MaskForm | None = None,
    name: str | None = None,
    choice: MaskChoice = MaskChoice(),
    series_uid: str | None = None,
) -> JsonObject:
    """Write one region of a mask file in another form, on the voxels of its image.

    Args:
        image: What the mask lies on; a DICOM series where a DICOM object is to be written.
        mask: NIfTI, NRRD, DICOM SEG or RTSTRUCT.
        output: x.nii.gz, x.nii, x.nrrd, or any other name for a DICOM object.
        form: Which DICOM object; needed unless the output's name is NIfTI or NRRD.
        name: What the region is called in a DICOM object; as in its source where not given.
        choice: Which region, where the mask file holds several.
        series_uid: Which series, where the image's folder holds several.

    Raises:
        InputError: The output's name and form contradict, a folder is missing, or a region must be chosen.
        GeometryError: The mask lies on other voxels than the image's.
        SeriesError: The image is not one volume.
    """
    require_output(output, image, mask)
    _require_form(output, form)
    geometry, sources = open_grid(image, series_uid=series_uid)
    region = open_mask(mask, geometry, roi=choice.roi, segment=choice.segment, label=choice.label)
    region = replace(region, label=name or region.label or "1")
    if form is None:
        write_mask(region, output)
    elif not sources:
        raise InputError(f"{image}: expected a DICOM series, as a DICOM object refers to its images; found a file")
    elif form is MaskForm.RTSTRUCT:
        write_rtstruct(output, [Region(name=region.label, mask=region)], sources=sources)
    else:
        write_seg(output, [_as_lesion(region)], sources=sources, confirmed=False)
    return {
        "output": str(output),
        "form": "file" if form is None else form.value,
        "region": region.label,
        "voxels": int(np.count_nonzero(region.voxels)),
        "volume_ml": region.volume_ml,
        "mask_digest": region.digest,
        "findings": findings_json(region.findings),
    }


def _require_form(output: Path, form: MaskForm | None) -> None:
    if is_image_file(output) and form is not None:
        raise InputError(f"{output}: a NIfTI or NRRD name cannot hold --as {form}")
    if not is_image_file(output) and form is None:
        raise InputError(f"{output}: expected a NIfTI or NRRD name, or --as {' or --as '.join(MaskForm)}")


def _as_lesion(region: Mask) -> SegmentedLesion:
    lesion = Lesion(
        lesion_id=region.label,
        tracking_uid=derived_uid("converted mask", region.label, region.digest),
        role=LesionRole.NON_TARGET,
        organ="",
        location="",
    )
    return SegmentedLesion(lesion=lesion, mask=region, algorithm=CONVERTED, version="1")
