"""Verbs that look and change nothing: what others' DICOM objects say, what became of lesions at a follow-up."""

from pathlib import Path
from typing import Annotated

import typer

from npcpit_imaging.app import console, study
from npcpit_imaging.cli.application import app
from npcpit_imaging.cli.options import SINGLE, STUDY, Json, StudyFolder, show_result


@app.command(name="read-report", rich_help_panel=SINGLE)
def read_report(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A DICOM SR (TID 1500) or SEG, by whatever program.")],
    as_json: Json = False,
) -> None:
    """The numbers of a DICOM measurement report, or the segments of a DICOM segmentation, by whatever program."""
    from npcpit_imaging.app import read_report as reports

    result = reports.read_report(file)
    show_result(result, as_json, lambda: console.report_rows(result))


@app.command(rich_help_panel=STUDY)
def match(folder: StudyFolder, as_json: Json = False) -> None:
    """What became of each baseline lesion at each follow-up: same, split, merged, new, gone; proposals to decide."""
    from npcpit_imaging.app import matching

    with study.open_study(folder) as opened:
        found = matching.match_study(opened)
    show_result([each.as_json() for each in found], as_json, lambda: console.matches(found))
