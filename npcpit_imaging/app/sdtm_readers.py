"""Who the readers of a table are in CDISC's words: --EVAL and --EVALID."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from npcpit_imaging.app.tables import read_table
from npcpit_imaging.errors import InputError, TableError
from npcpit_imaging.report.sdtm_records import Evaluator
from npcpit_imaging.report.sdtm_terms import EVALUATOR_IDS, EVALUATORS, INDEPENDENT, INVESTIGATOR

READER = "READER"
"""The role of a reader nobody named otherwise."""


def evaluators_of(
    names: Iterable[str], given: Mapping[str, Evaluator] | None = None
) -> tuple[dict[str, Evaluator], list[str]]:
    """Give each reader --EVAL and --EVALID.

    A reader whose name is CDISC's own word keeps it (``INVESTIGATOR``, ``RADIOLOGIST 1``); one without a name is the
    investigator; any other becomes ``READER n`` by alphabet, with a note, because nobody said who it is.

    Args:
        names: Every reader of the study; an empty name is one reader.
        given: What the study says of them.

    Example:
        >>> evaluators_of(["", "RADIOLOGIST 1"])[0]["RADIOLOGIST 1"]
        Evaluator(role='INDEPENDENT ASSESSOR', identifier='RADIOLOGIST 1')
    """
    found: dict[str, Evaluator] = {}
    notes: list[str] = []
    for name in sorted(set(names)):
        upper = " ".join(name.upper().split())
        if given is not None and name in given:
            found[name] = given[name]
        elif not upper:
            found[name] = Evaluator(role=INVESTIGATOR)
        elif upper in EVALUATOR_IDS:
            found[name] = Evaluator(role=INDEPENDENT, identifier=upper)
        elif upper in EVALUATORS:
            found[name] = Evaluator(role=upper)
        else:
            number = 1 + sum(own.role == READER for own in found.values())
            found[name] = Evaluator(role=READER, identifier=f"{READER} {number}")
            notes.append(f"reader {name} is exported as {READER} {number}; a readers table can say who it is")
    if len(set(found.values())) < len(found):
        raise InputError("two readers have the same eval and evalid; expected each once")
    return found, notes


def read_readers(path: Path | None) -> dict[str, Evaluator]:
    """Read a table of readers: reader, eval and, where there are several of a role, evalid.

    Args:
        path: The CSV file; None is an empty table.

    Raises:
        InputError: There is no such file, or it is not text.
        TableError: A column or a value is missing, or a reader stands twice.
    """
    found: dict[str, Evaluator] = {}
    for row in () if path is None else read_table(path, required=("reader", "eval"), optional=("evalid",)):
        name = row.values["reader"]
        if name in found:
            raise TableError(f"reader {name} stands twice, expected once", line=row.line)
        found[name] = Evaluator(role=row.text("eval").upper(), identifier=row.values["evalid"].upper())
    return found
