"""The command line: ``npcpit VERB``; reads arguments, calls a verb of `app`, prints. No logic here.

Only the file of the verb that is asked for is imported: each brings its own libraries, together seconds of them.
"""

import logging
import sys
from collections.abc import Sequence
from importlib import import_module

import typer

from npcpit_imaging.cli.application import app
from npcpit_imaging.errors import NpcpitError

__all__ = ["FILES", "app", "main", "run", "whole"]

FILES = {
    "field": ("field",),
    "mask": ("mask",),
    "objects": ("read-report", "match"),
    "results": ("eligibility", "tables", "analyse"),
    "segment": ("segment",),
    "serve": ("serve", "user", "token", "audit"),
    "single": ("register", "measure", "radiomics", "respond", "sdtm", "best-response"),
    "study": ("init", "receive", "import", "pull", "series", "read", "run", "status", "export", "demo"),
    "vault": ("original", "original-key"),
    "volumes": ("volume", "suv"),
    "about": ("version",),
}
"""Which file holds which verbs; help, and a verb that nobody knows, read all of them."""


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code: 0 only on success, 1 for an error, 2 for wrong usage."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        _with_verb(arguments[0] if arguments else "")(list(arguments))
    except NpcpitError as error:
        from npcpit_imaging.app import console

        console.error(str(error))
        return 1
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


def whole() -> typer.Typer:
    """The application with every verb."""
    return _with_verb("")


def _with_verb(verb: str) -> typer.Typer:
    """The application with at least the asked verb; with all when no file holds it."""
    asked = [file for file, verbs in FILES.items() if verb in verbs]
    for file in (*(asked or FILES), "about"):
        import_module(f"npcpit_imaging.cli.{file}")
    return app
