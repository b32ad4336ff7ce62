"""The verb that says what this program is."""

import npcpit_imaging
from npcpit_imaging.app import console
from npcpit_imaging.cli.application import app


@app.callback()
def about() -> None:
    """From DICOM to confirmed lesion measurements."""


@app.command()
def version() -> None:
    """Print the version."""
    console.say(npcpit_imaging.__version__)
