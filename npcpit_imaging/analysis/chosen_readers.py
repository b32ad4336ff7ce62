"""Whose reads an analysis takes: an adjudicator's choice first, then what the protocol says; nobody is guessed."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from npcpit_imaging.errors import ReaderChoiceError

Rows = Sequence[Mapping[str, object]]

NO_CHOICES: Mapping[str, str] = MappingProxyType({})
"""Nobody adjudicated anything."""


def chosen_readers(subjects: Rows, *, reader: str = "", adjudicated: Mapping[str, str] = NO_CHOICES) -> dict[str, str]:
    """Whose reads the analysis takes, by subject.

    The one an adjudicator chose; else the named reader; else the one of whom the engine says ``for_analysis``; else the
    only one, unless the engine says of that one that it is not, and of another elsewhere that it is.

    Args:
        subjects: The engine's rows.
        reader: A reader's code (``analysis_reader`` of the protocol); empty for none.
        adjudicated: The adjudicator's choice by subject; empty where it no longer holds.

    Raises:
        ReaderChoiceError: A subject with several readers and none that is the analysis', or without the named one.
    """
    found: dict[str, list[Mapping[str, object]]] = {}
    for row in subjects:
        if row.get("reader") is not None and row.get("pfs_reason") is not None:
            found.setdefault(str(row["subject"]), []).append(row)
    chosen, faults = {}, []
    told = any(row.get("for_analysis") is True for rows in found.values() for row in rows)
    for subject, rows in found.items():
        names = [str(row["reader"]) for row in rows]
        marked = [str(row["reader"]) for row in rows if row.get("for_analysis") is True]
        # of a subject whom only somebody else read, that read is not the analysis'
        others = [str(row["reader"]) for row in rows if told and row.get("for_analysis") is False]
        of_analysis = marked if len(names) > 1 else [name for name in names if name not in others]
        wanted = [name for name in names if name == reader] if reader else of_analysis
        if subject in adjudicated:
            wanted = [name for name in names if name == adjudicated[subject]]
        if len(wanted) == 1:
            chosen[subject] = wanted[0]
        elif subject in adjudicated:
            why = "was read again since" if not adjudicated[subject] else "no response of the chosen reader"
            faults.append(f"{subject} (adjudicated, but {why})")
        else:
            faults.append(f"{subject} ({', '.join(names)})")
    if faults:
        wanted_words = f"reader {reader}" if reader else "one reader for the analysis"
        raise ReaderChoiceError(
            f"results: expected {wanted_words} of every subject, found not so for {len(faults)}: "
            f"{'; '.join(faults[:5])}{' ...' if len(faults) > 5 else ''}; name one in protocol.toml (analysis_reader)"
        )
    return chosen
