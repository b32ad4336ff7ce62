"""Verb: where lesions lie to the irradiated field."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from npcpit_imaging.app import console, field_positions, study
from npcpit_imaging.cli.application import app
from npcpit_imaging.cli.options import STUDY, Json, StudyFolder, show_result


@app.command(rich_help_panel=STUDY)
def field(
    folder: StudyFolder,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Also write positions.csv.")] = None,
    as_json: Json = False,
) -> None:
    """Say of every lesion whether it lies in, at the margin of or outside the irradiated field (tables/fields.csv)."""
    with study.open_study(folder) as opened:
        found = field_positions.positions(opened)
    if output is not None:
        field_positions.write_positions(found, output)
    result = {"lesions": [asdict(each) for each in found]}
    lines = {f"{each.subject} {each.timepoint} {each.lesion_id}": each.text for each in found}
    show_result(result, as_json, lambda: console.values(lines))
