"""Results on disk: tables as CSV and Parquet, figures as PNG and SVG, one page; the same input gives the same files."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import scipy
import statsmodels

import npcpit_imaging
from npcpit_imaging.analysis.study_results import Results
from npcpit_imaging.app.result_figures import figure_tables
from npcpit_imaging.report.figures import DrawnFigure, draw_figures
from npcpit_imaging.report.results_definitions import DEFINITIONS
from npcpit_imaging.report.results_page import ResultsPage, render
from npcpit_imaging.report.results_sections import primary_result, sections

RESULT_PARTS = ("results.html", "tables", "figures")
"""What a folder of results holds."""

DIGITS = 6
"""Significant digits of numbers in CSV: what a computer adds in another order stays out of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where results come from, for their first page.

    Args:
        title: The study.
        protocol_digest: Of its decisions.
        data_cut: The day after which records are not used, in words.
        readers: Whose reads, in words.
        inputs_digest: Of everything they were computed from.
        labels: What the reads themselves say they are, e.g. scripted.
    """

    title: str
    protocol_digest: str
    data_cut: str
    readers: str
    inputs_digest: str
    labels: Sequence[str] = ()


def write_results(
    results: Results,
    folder: Path,
    *,
    provenance: Provenance,
    eligibility: pd.DataFrame | None = None,
    figures: bool = True,
) -> str:
    """Write tables, figures and the page into a folder, in place of what an earlier run left there.

    They are written beside it and take its place when they are whole: a run that is killed leaves what was there.

    Returns:
        One line: the primary endpoint and how much was written.
    """
    new, old = (folder.with_name(f".{folder.name}.{word}") for word in ("new", "old"))
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
    said = _write(results, new, provenance=provenance, eligibility=eligibility, figures=figures)
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
    return said


def _write(
    results: Results, folder: Path, *, provenance: Provenance, eligibility: pd.DataFrame | None, figures: bool
) -> str:
    tables = dict(results.tables)
    if eligibility is not None:
        tables["eligibility"] = eligibility
    for name, table in tables.items():
        write_result_table(folder / "tables", name, table)
    drawn = draw_figures(figure_tables(results), folder / "figures") if figures else []
    if drawn:
        _write_captions(folder / "figures", drawn, provenance.protocol_digest)
    parts = sections(results.tables, drawn, cautions=results.cautions, eligibility=eligibility)
    page = ResultsPage(
        title=provenance.title,
        facts=_facts(results, provenance),
        primary=primary_result(results.tables["response_rates"]),
        notes=[*results.records.notes, *(f"The reads are labelled: {label}" for label in provenance.labels)],
        sections=parts,
        definitions=DEFINITIONS,
        stamp=f"Data cut {provenance.data_cut}; protocol {provenance.protocol_digest[:12]}.",
    )
    (folder / "results.html").write_text(render(page), encoding="utf-8")
    said = "no irradiated lesion" if page.primary is None else f"{page.primary.number} ({page.primary.denominator})"
    return f"primary endpoint {said}; {len(tables)} tables, {len(drawn)} figures, results.html"


def write_result_table(folder: Path, name: str, table: pd.DataFrame) -> None:
    """Write NAME.csv and NAME.parquet."""
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / f"{name}.csv", index=False, float_format=f"%.{DIGITS}g", lineterminator="\n")
    _for_parquet(table).to_parquet(folder / f"{name}.parquet", index=False)


def _write_captions(folder: Path, drawn: Sequence[DrawnFigure], protocol_digest: str) -> None:
    """Write what each figure shows; without the data cut, a true date, for figures leave with an export."""
    rows = [{"figure": each.name, "caption": each.caption, "protocol_digest": protocol_digest} for each in drawn]
    pd.DataFrame(rows).to_csv(folder / "captions.csv", index=False, lineterminator="\n")


def _for_parquet(table: pd.DataFrame) -> pd.DataFrame:
    """Parquet has one type a column: mixtures become truth values with gaps, or words."""
    changed = {}
    for name in table.columns:
        if table[name].dtype != object:
            continue
        kinds = {type(value) for value in table[name].dropna()}
        changed[name] = table[name].astype("boolean" if kinds <= {bool, np.bool_} and kinds else "string")
    return table.assign(**changed)


def _facts(results: Results, provenance: Provenance) -> list[tuple[str, str]]:
    records = results.records
    irradiated = int(records.lesions["irradiated"].astype(bool).sum()) if len(records.lesions) else 0
    return [
        ("Data cut", provenance.data_cut),
        ("Protocol", f"{provenance.title}, digest {provenance.protocol_digest}"),
        ("Reader of the analysis", provenance.readers),
        ("Patients", f"{len(records.subjects)}, of whom {_count(records.subjects, 'read')} were read"),
        ("Irradiated lesions", str(irradiated)),
        ("Follow-up visits read", str(len(records.timepoints))),
        ("Inputs digest", provenance.inputs_digest),
        ("Software", versions()),
    ]


def _count(table: pd.DataFrame, column: str) -> int:
    return int(table[column].sum()) if len(table) else 0


def versions() -> str:
    """This package and the libraries that numbers come from."""
    parts: Mapping[str, str] = {
        "npcpit_imaging": npcpit_imaging.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "pandas": pd.__version__,
        "statsmodels": statsmodels.__version__,
        "matplotlib": mpl.__version__,
    }
    return ", ".join(f"{name} {version}" for name, version in parts.items())
