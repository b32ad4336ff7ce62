"""The verbs that read a series: volume and suv."""

from pathlib import Path
from typing import Annotated

import typer

from npcpit_imaging.app import console, measure, volumes
from npcpit_imaging.cli.application import app
from npcpit_imaging.cli.options import SINGLE, Json, Label, Roi, Segment, SeriesUid, show_result
from npcpit_imaging.volume.suv import SuvKind


@app.command(rich_help_panel=SINGLE)
def volume(
    image: Annotated[Path, typer.Argument(metavar="SERIES", help="DICOM folder or file, NIfTI or NRRD.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="x.nii.gz, x.nii or x.nrrd")],
    series_uid: SeriesUid = None,
    part: Annotated[int | None, typer.Option(min=1, help="Which volume of a series that holds several.")] = None,
    allow: Annotated[list[volumes.Doubt] | None, typer.Option(help="Read such a series, with a finding.")] = None,
    refuse: Annotated[list[volumes.Doubt] | None, typer.Option(help="Refuse such a series.")] = None,
    as_json: Json = False,
) -> None:
    """Read a series as one volume and write it as NIfTI or NRRD; refuse, with the reason, what is not one volume."""
    policy = volumes.policy_of(allow=allow or (), refuse=refuse or ())
    result = volumes.convert(image, output, series_uid=series_uid, part=part, policy=policy)
    show_result(result, as_json, lambda: console.values(result))


@app.command(rich_help_panel=SINGLE)
def suv(
    image: Annotated[Path, typer.Argument(metavar="SERIES", help="A PET series.")],
    mask: Annotated[
        Path | None, typer.Argument(metavar="[MASK]", help="Where to look; the whole volume without.")
    ] = None,
    kind: Annotated[
        SuvKind,
        typer.Option(case_sensitive=False, help="By body weight, lean body mass (James, Janmahasatian), surface."),
    ] = SuvKind.BW,
    roi: Roi = None,
    segment_number: Segment = None,
    label: Label = None,
    series_uid: SeriesUid = None,
    as_json: Json = False,
) -> None:
    """SUV of a PET: factor, largest and mean value; refused, naming the tag, when a tag cannot be trusted."""
    choice = measure.MaskChoice(roi=roi, segment=segment_number, label=label)
    result = volumes.suv(image, mask, kind=kind, choice=choice, series_uid=series_uid)
    show_result(result, as_json, lambda: console.values(result))
