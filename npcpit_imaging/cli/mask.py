"""The verb for masks alone."""

from pathlib import Path
from typing import Annotated

import typer

from npcpit_imaging.app import console, masks, measure
from npcpit_imaging.cli.application import app
from npcpit_imaging.cli.options import SINGLE, Image, Json, Label, MaskFile, Roi, Segment, SeriesUid, show_result


@app.command(rich_help_panel=SINGLE)
def mask(
    image: Image,
    mask_file: MaskFile,
    output: Annotated[Path, typer.Option("-o", "--output", help="x.nii.gz, x.nrrd, or x.dcm with --as.")],
    form: Annotated[masks.MaskForm | None, typer.Option("--as", help="Which DICOM object to write.")] = None,
    name: Annotated[
        str | None, typer.Option(help="What a DICOM object calls the region; as its source without.")
    ] = None,
    roi: Roi = None,
    segment_number: Segment = None,
    label: Label = None,
    series_uid: SeriesUid = None,
    as_json: Json = False,
) -> None:
    """Write a mask in another form (RTSTRUCT, DICOM SEG, NIfTI, NRRD), the same voxel by voxel."""
    choice = measure.MaskChoice(roi=roi, segment=segment_number, label=label)
    result = masks.convert_mask(image, mask_file, output, form=form, name=name, choice=choice, series_uid=series_uid)
    show_result(result, as_json, lambda: console.values(result))
