"""Verbs on DICOM objects that others wrote."""

from pathlib import Path
from typing import Annotated

import typer

from npcpit_imaging.app import console
from npcpit_imaging.app import read_report as reports
from npcpit_imaging.cli.application import app
from npcpit_imaging.cli.options import SINGLE, Json, show_result


@app.command(name="read-report", rich_help_panel=SINGLE)
def read_report(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A DICOM SR (TID 1500) or SEG, by whatever program.")],
    as_json: Json = False,
) -> None:
    """The numbers of a DICOM measurement report, or the segments of a DICOM segmentation, by whatever program."""
    result = reports.read_report(file)
    show_result(result, as_json, lambda: console.report_rows(result))
