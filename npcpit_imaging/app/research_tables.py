"""Tables of a research export: no free text, no date, no row of a subject whose data stay."""

import re
import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from npcpit_imaging.app.result_files import write_result_table
from npcpit_imaging.app.study import Study
from npcpit_imaging.errors import InputError
from npcpit_imaging.radiomics.catalogue import DEFINITIONS, stem_of
from npcpit_imaging.report.research_dictionary import dictionary_rows
from npcpit_imaging.store.bulk import lesion_flags

NOT_EXPORTED = ("eligibility",)
"""Tables of results that stay: their reasons are people's own words."""

FREE_TEXT = ("comment", "findings", "date", "reason", "read_label")
"""Columns of delivered tables that are left out: people's own words, and dates."""

TELLING_DAYS = ("cutoff_day",)
"""Days that with the data cut, which a paper states, tell the date of a subject's first treatment."""

EVENTS = "adverse_events"
"""The table of what a site wrote of adverse events: its treated field is free text, its lesion may be."""

WITHHELD = "withheld"
"""Stands for an adverse event's term that holds a digit: a date or a number of somebody."""

_DIGIT = re.compile(r"\d")
_DAY = re.compile(
    r"(?:19|20)\d\d(?:[-/年](?:0?[1-9]|1[0-2])[-/月](?:0?[1-9]|[12]\d|3[01])|\.(?:0[1-9]|1[0-2])\.(?:0[1-9]|[12]\d|3[01]))(?!\d)"
)
"""A day as people write it; with dots only in two digits each, for versions have dots too."""
_UID_COLUMNS = ("tracking_uid", "series_uid")


@dataclass(slots=True, kw_only=True)
class ResearchTables:
    """What was written.

    Args:
        columns: Of each table, by name.
        withheld: Adverse events whose term was withheld.
        unnamed: Adverse events whose lesion is none of the subject's, and was left empty.
    """

    columns: dict[str, list[str]] = field(default_factory=dict)
    withheld: int = 0
    unnamed: int = 0

    def words(self) -> str:
        """What was withheld; empty when nothing was."""
        counts = [f"{self.withheld} terms that hold a digit"] if self.withheld else []
        counts += [f"{self.unnamed} lesions that are none of the subject's"] if self.unnamed else []
        return "of adverse events withheld: " + ", ".join(counts) if counts else ""


def write_tables(study: Study, folder: Path, *, left_out: Collection[str]) -> ResearchTables:
    """Copy the tables of results and features, and write the data dictionary beside them.

    Args:
        study: The study.
        folder: Where to; made.
        left_out: Subjects whose rows stay.

    Raises:
        InputError: A table holds what reads as a date.
    """
    folder.mkdir()
    written = ResearchTables()
    with study.database.session() as session:
        lesions = {(subject, lesion) for subject, lesion, *_ in lesion_flags(session)}
    for source in sorted((study.deliver / "results" / "tables").glob("*.parquet")):
        if source.stem not in NOT_EXPORTED:
            found = pd.read_parquet(source)
            table = _without_words(source.stem, found.drop(columns=[*TELLING_DAYS], errors="ignore"), lesions, written)
            table = _checked(source.stem, _of_others(table, left_out))
            if table.equals(found):
                for kind in (".csv", ".parquet"):
                    shutil.copy2(source.with_suffix(kind), folder / f"{source.stem}{kind}")
            else:
                write_result_table(folder, source.stem, table)
            written.columns[source.stem] = [str(name) for name in table.columns]
    _write_delivered(study, folder, written, left_out)
    words, units = _feature_words({column for columns in written.columns.values() for column in columns})
    described = dictionary_rows(written.columns, _words(study) | words, units)
    pd.DataFrame(described).to_csv(folder / "dictionary.csv", index=False, lineterminator="\n")
    return written


def _write_delivered(study: Study, folder: Path, written: ResearchTables, left_out: Collection[str]) -> None:
    """Copy measurements and features."""
    for name in ("measurements.csv", "features.csv"):
        path = study.deliver / name
        if path.exists() and path.stat().st_size > 1:
            kept = _delivered(path.stem, pd.read_csv(path, low_memory=False), left_out)
            kept.to_csv(folder / name, index=False, lineterminator="\n")
            kept.convert_dtypes().to_parquet((folder / name).with_suffix(".parquet"), index=False)
            written.columns[path.stem] = list(kept.columns)
    wide = study.deliver / "features_wide.parquet"
    table = pd.read_parquet(wide) if wide.exists() else pd.DataFrame(columns=["subject", "timepoint", "lesion"])
    table = _delivered(wide.stem, table, left_out)
    table.to_parquet(folder / wide.name, index=False)
    written.columns[wide.stem] = list(table.columns)


def _delivered(name: str, table: pd.DataFrame, left_out: Collection[str]) -> pd.DataFrame:
    return _checked(name, _of_others(table.drop(columns=[*FREE_TEXT], errors="ignore"), left_out))


def _of_others(table: pd.DataFrame, left_out: Collection[str]) -> pd.DataFrame:
    """The rows of those whose data leave."""
    if not left_out or "subject" not in table:
        return table
    return table[~table["subject"].astype(str).isin(set(left_out))].reset_index(drop=True)


def _without_words(
    name: str, table: pd.DataFrame, lesions: Collection[tuple[str, str]], written: ResearchTables
) -> pd.DataFrame:
    """Adverse events without what a site may have written freely: terms with digits, other lesions, fields."""
    changed = table
    if "term" in table:
        doubted = table["term"].astype(str).map(_is_doubted).astype(bool)
        changed = changed.assign(term=table["term"].mask(doubted, WITHHELD)) if doubted.any() else changed
    if name != EVENTS:
        return changed
    written.withheld = int(doubted.sum())
    named = table["lesion"].fillna("").astype(str)
    strange = [
        bool(lesion) and (subject, lesion) not in lesions
        for subject, lesion in zip(table["subject"], named, strict=True)
    ]
    written.unnamed = sum(strange)
    changed = changed.assign(lesion=table["lesion"].mask(pd.Series(strange, index=table.index, dtype=bool), ""))
    return changed.drop(columns="field")


def _is_doubted(term: str) -> bool:
    """Whether a term holds a digit; CTCAE itself has CD4 lymphocytes decreased."""
    return _DIGIT.search(term.upper().replace("CD4 ", "")) is not None


def _checked(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """The table, in none of whose words stands a day.

    Raises:
        InputError: One does; the message names table and column, not what stands there.
    """
    for column in table.columns:
        if column in _UID_COLUMNS or pd.api.types.is_numeric_dtype(table[column]):
            continue
        if any(_DAY.search(str(value)) for value in table[column].dropna().unique()):
            raise InputError(f"research export: {name}: column {column}: expected no date, found what reads as one")
    return table


def _feature_words(columns: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Meaning and unit of each column that is a radiomic feature: TAG, FILTER.TAG, or FILTER_TAG in the wide table."""
    words, units = {}, {}
    for column in columns:
        found = _FEATURE.fullmatch(stem_of(column))
        if found is not None:
            definition = DEFINITIONS[found["stem"]]
            after = f", after filter {found['filter']}" if found["filter"] else ""
            words[column] = f"{definition.name}, IBSI {definition.code}{after}"
            units[column] = definition.unit_for("intensity").replace("intensity2", "intensity squared")
    return words, units


_FEATURE = re.compile(rf"(?:(?P<filter>.+)[._])?(?P<stem>{'|'.join(sorted(DEFINITIONS, key=len, reverse=True))})")
"""A column of a feature: its filter, if any, and the IBSI stem."""


def _words(study: Study) -> dict[str, str]:
    """What the study's own columns mean: predictors in their words."""
    screening = pd.read_parquet(study.deliver / "results" / "tables" / "association_screening.parquet")
    if "predictor" not in screening:
        return {}
    return dict(zip(screening["predictor"].astype(str), screening["words"].astype(str), strict=True))
