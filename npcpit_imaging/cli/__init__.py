"""The command line: ``npcpit VERB``; reads arguments, calls a verb of `app`, prints. No logic here."""

import logging
import sys
from collections.abc import Sequence

import npcpit_imaging
from npcpit_imaging.app import console
from npcpit_imaging.cli import field, mask, objects, results, segment, serve, single, study, vault, volumes
from npcpit_imaging.cli.application import app
from npcpit_imaging.errors import NpcpitError

__all__ = [
    "app",
    "field",
    "main",
    "mask",
    "objects",
    "results",
    "run",
    "segment",
    "serve",
    "single",
    "study",
    "vault",
    "volumes",
]


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code: 0 only on success, 1 for an error, 2 for wrong usage."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        app(list(arguments))
    except NpcpitError as error:
        console.error(str(error))
        return 1
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


@app.command()
def version() -> None:
    """Print the version."""
    console.say(npcpit_imaging.__version__)
