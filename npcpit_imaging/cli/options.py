"""What the command line's verbs share: panels, common arguments, and how a result is shown."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from npcpit_imaging.volume.volume import Modality, Unit

STUDY = "With a study folder"
SINGLE = "Without a study: one image, one answer"

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for a program.")]
StudyFolder = Annotated[Path, typer.Argument(metavar="STUDY", help="A study folder made by npcpit init.")]
Image = Annotated[Path, typer.Argument(metavar="IMAGE", help="DICOM folder or file, NIfTI or NRRD.")]
MaskFile = Annotated[Path, typer.Argument(metavar="MASK", help="NIfTI, NRRD, DICOM SEG or RTSTRUCT.")]
Roi = Annotated[str | None, typer.Option("--roi", metavar="NAME", help="Which region of an RTSTRUCT.")]
Segment = Annotated[int | None, typer.Option("--segment", metavar="N", help="Which segment of a DICOM SEG.")]
Label = Annotated[int | None, typer.Option("--label", metavar="N", help="Which value of a label image.")]
SeriesUid = Annotated[str | None, typer.Option("--series", metavar="UID", help="Which series of the folder.")]
FileModality = Annotated[
    Modality, typer.Option("--modality", help="What a NIfTI or NRRD file holds; DICOM says it itself.")
]
FileUnit = Annotated[
    Unit | None,
    typer.Option("--unit", help="What a NIfTI or NRRD PET's values mean, SUVbw or BQML; DICOM says it itself."),
]


def leave(*, well: bool) -> None:
    """Leave with code 1 when something the command was asked for was not done."""
    if not well:
        raise typer.Exit(1)


def show_result(result: object, as_json: bool, show: Callable[[], None]) -> None:
    """Print one JSON object for a program, or what a person reads."""
    if as_json:
        print(json.dumps(result, default=str))  # noqa: T201  # a program reads it
    else:
        show()
