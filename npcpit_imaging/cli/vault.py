"""Verbs of the vault: what was received, for the few who may see it."""

from pathlib import Path
from typing import Annotated

import typer

from npcpit_imaging.app import console, originals, study
from npcpit_imaging.cli.application import app
from npcpit_imaging.cli.options import STUDY, StudyFolder


@app.command(rich_help_panel=STUDY)
def original(
    folder: StudyFolder,
    uid: Annotated[str, typer.Argument(metavar="UID", help="SOP Instance UID, as the study or the hospital knows it.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A new file; it holds the patient's identity.")],
    reason: Annotated[str, typer.Option(help="Why; recorded with your name in vault/originals/access.jsonl.")] = "",
) -> None:
    """Write one object as it was received, where site.toml keeps originals encrypted."""
    with study.open_study(folder) as opened:
        originals.Originals(opened).give(uid, output, reason=reason)
    console.say(f"wrote {output}: not de-identified, readable by you alone")


@app.command(name="original-key", rich_help_panel=STUDY)
def original_key(folder: StudyFolder) -> None:
    """Make a new key for the originals where site.toml says, and seal all of them with it; older keys are forgotten."""
    with study.open_study(folder) as opened:
        count = originals.Originals(opened).rotate()
    console.say(f"new key in {opened.site.deidentification.originals_key}; {count} originals are sealed with it")
