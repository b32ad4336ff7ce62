"""What the command line shows a person: tables, progress, errors."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from npcpit_imaging.flow.run import Outcome, Status

if TYPE_CHECKING:  # what is shown comes with its own libraries: a verb brings those of its own answer only
    from npcpit_imaging.app.importing import ArrivalReport, Tick
    from npcpit_imaging.app.matching import VisitMatches
    from npcpit_imaging.app.respond import BestResponseReport, RespondReport
    from npcpit_imaging.app.sdtm import SdtmReport
    from npcpit_imaging.app.survey import StudyStatus, SurveyedSeries
    from npcpit_imaging.dicom.spool_census import SpoolCensus
    from npcpit_imaging.response.answers import Answer

WIDTH_WITHOUT_TERMINAL = 200
"""Width of tables that go into a file or a pipe."""

UID_END = 12
"""How many characters of a series UID a table shows."""

OUT = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL)
ERR = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else WIDTH_WITHOUT_TERMINAL)

STATUS_STYLE = {Status.DONE: "green", Status.SKIPPED: "dim", Status.FAILED: "bold red"}


def say(text: str) -> None:
    """Print one line as it is."""
    OUT.print(Text(text), soft_wrap=True)


def lines(texts: Iterable[str]) -> None:
    """Print lines as they are."""
    for text in texts:
        say(text)


def error(text: str) -> None:
    """Print an error for a person."""
    ERR.print(Text.assemble(("error: ", "bold red"), text), soft_wrap=True)


def warn(text: str) -> None:
    """Print a warning for a person."""
    ERR.print(Text.assemble(("warning: ", "bold yellow"), text), soft_wrap=True)


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=32), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=ERR, transient=True, disable=not ERR.is_terminal)


@contextmanager
def progress(title: str, total: int) -> Iterator[Tick]:
    """A progress bar; each call of what it gives is one step."""
    with _bar() as bar:
        task = bar.add_task(title, total=total)
        yield lambda: bar.advance(task)


@contextmanager
def fraction(title: str) -> Iterator[Callable[[float, str], None]]:
    """A progress bar for work that tells its fraction and what it is doing."""
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=32))
    with Progress(*columns, console=ERR, transient=True, disable=not ERR.is_terminal) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda done, text: bar.update(task, completed=done, description=f"{title}: {text}")


class CaseProgress:
    """A progress bar over the cases of a pipeline."""

    def __init__(self, bar: Progress, pipeline: str) -> None:
        self._bar, self._pipeline = bar, pipeline
        self._task = bar.add_task(pipeline, total=None)

    def start(self, total: int) -> None:
        """Tell the number of cases."""
        self._bar.update(self._task, total=total)

    def outcome(self, outcome: Outcome) -> None:
        """Show that one case is over."""
        self._bar.update(self._task, advance=1, description=f"{self._pipeline}: {outcome.case.name}")


@contextmanager
def case_progress(pipeline: str) -> Iterator[CaseProgress]:
    """Show a pipeline's cases as they are done."""
    with _bar() as bar:
        yield CaseProgress(bar, pipeline)


def outcomes(found: Sequence[Outcome]) -> None:
    """List every case with its outcome and reason."""
    for each in found:
        style = STATUS_STYLE[each.status]
        OUT.print(Text.assemble((f"{each.status.value:8}", style), f" {each.case.name}: {each.reason}"), soft_wrap=True)
    counts = {status: sum(each.status is status for each in found) for status in Status}
    OUT.print(Text(", ".join(f"{count} {status.value}" for status, count in counts.items())))


def arrivals(report: ArrivalReport) -> None:
    """Say what became of every imported file."""
    from npcpit_imaging.store.images import IndexOutcome

    for refused in report.refused:
        warn(f"{refused.file}: {refused.reason}")
    for file in report.conflicts:
        warn(f"{file}: this UID is already here with other content; the first one is kept")
    if report.no_dicom:
        say(f"passed over, no DICOM object: {', '.join(report.no_dicom)}")
    counts = ", ".join(f"{report.outcomes[outcome]} {outcome.value}" for outcome in IndexOutcome)
    say(f"{counts}, {len(report.refused)} refused")
    for subject, visits in report.assembled.items():
        say(f"{subject}: {', '.join(visits)}")
    for subject, why in report.unassembled.items():
        error(f"{subject}: {why}")


def _table(*columns: str, title: str = "") -> Table:
    table = Table(title=title or None, box=None, pad_edge=False, header_style="bold", title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def series_table(found: Sequence[SurveyedSeries]) -> None:
    """List series with geometry, findings and refusals."""
    place = ("subject", "visit", "date", "modality", "series", "description", "objects", "state")
    table = _table(*place, "volume, or why there is none", "findings")
    for each in found:
        worth_saying = [finding for finding in each.findings if finding.text != each.refusal]
        words = [f"{finding.severity.value}: {finding.text}" for finding in worth_saying]
        words += [each.summary.state_reason] if each.summary.state_reason not in ("", each.refusal) else []
        words += [f"{len(each.stale)} results computed from it are stale"] if each.stale else []
        noticed = "; ".join(words)
        table.add_row(
            each.summary.subject,
            each.summary.timepoint or "-",
            str(each.summary.date or "-"),
            each.summary.modality,
            _short(each.summary.uid),
            Text(each.summary.description or "-"),
            str(each.summary.instances),
            each.summary.state.value,
            Text(each.geometry or each.refusal),
            Text(noticed),
        )
    OUT.print(table)


def _short(uid: str) -> str:
    """The end of a UID, which tells it from its neighbours; `--json` has it whole."""
    return uid if len(uid) <= UID_END else f"…{uid[-UID_END:]}"


def status(found: StudyStatus) -> None:
    """Show every subject's visits and what failed."""
    say(f"protocol: {found.protocol_title}")
    table = _table("subject", "visit", "date", "series", "read by", "response")
    for subject in found.subjects:
        for visit in subject.visits:
            series = ", ".join(f"{count} {modality}" for modality, count in visit.series.items())
            readers = ", ".join(visit.readers) or "-"
            day = f"{visit.date} (out of window)" if visit.in_window is False else str(visit.date)
            table.add_row(subject.subject, visit.name, day, series, readers, visit.response or "-")
        for each in subject.awaited:
            until = "after the first treatment" if each.latest is None else f"until {each.latest}"
            state = "OVERDUE" if each.is_overdue else "not awaited: died" if each.is_ended else "awaited"
            table.add_row(subject.subject, each.name, until, state, "-", "-")
    OUT.print(table)
    for subject in found.subjects:
        for visit in (each for each in subject.visits if each.field):
            say(f"{subject.subject} {visit.name} irradiated field: {visit.field}")
        for series_ in subject.open_series:
            why = series_.state_reason or "no verdict yet"
            warn(f"{subject.subject}: series {series_.uid} is {series_.state.value}: {why}")
        for noticed in subject.noticed:
            where = f"{subject.subject} {noticed.summary.timepoint or '-'} {noticed.summary.modality}"
            for finding in noticed.findings:
                warn(f"{where} series {_short(noticed.summary.uid)}: {finding.text} ({finding.code})")
        for kind, of_kind in groupby(subject.stale, key=lambda each: each.kind.value):
            words = [" by ".join(word for word in (each.name, each.reader) if word) for each in of_kind]
            named = ", ".join(dict.fromkeys(words))
            warn(f"{subject.subject}: {kind} stale, made before what it rests on changed{': ' if named else ''}{named}")
    for pipeline, case, reason in (*found.failures, *found.undecided):
        warn(f"{pipeline} {case}: {reason}")
    _spool(found.spool)


def _spool(spool: SpoolCensus) -> None:
    if spool.waiting:
        warn(f"{spool.waiting} acknowledged objects wait in the spool: npcpit run receive STUDY says why")
    for code, count in sorted(Counter(each.code for each in spool.quarantined).items()):
        warn(f"{count} objects in vault/spool/quarantine: {code}")
    if spool.unreported:
        warn(f"{spool.unreported} storage commitments could not be reported yet")


def values(result: Mapping[str, object]) -> None:
    """Print the values of one answer, a line each; findings last."""
    for name, value in result.items():
        if name not in ("findings", "features"):
            say(f"{name}: {_plain(value)}")
    found = result.get("findings")
    for finding in found if isinstance(found, list) else []:
        say(f"{finding['severity']}: {finding['text']} ({finding['code']})")


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return "[" + ", ".join(_plain(each) for each in value) + "]"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(each)}" for name, each in value.items())
    return "none" if value is None else str(value)


REPORT_COLUMNS = {
    "SR": ("tracking_id", "timepoint", "name", "derivation", "value", "unit", "finding", "site", "method"),
    "SEG": ("number", "label", "tracking_id", "property_type", "site", "algorithm"),
}
"""What a table shows of others' objects; --json has the rest."""


def report_rows(result: Mapping[str, object]) -> None:
    """Print the numbers of a report or the segments of a segmentation as a table."""
    columns = REPORT_COLUMNS[str(result["kind"])]
    rows = result["values"] if "values" in result else result["segments"]
    assert isinstance(rows, list)
    table = _table(*(name.replace("_", " ") for name in columns), title=str(result["kind"]))
    for row in rows:
        table.add_row(*(Text(_plain(row[name])) for name in columns))
    OUT.print(table)


def matches(visits: Sequence[VisitMatches]) -> None:
    """Print what is proposed of each follow-up's lesions, a line each."""
    for visit in visits:
        place = f"{visit.subject} {visit.timepoint}"
        if visit.refusal:
            say(f"{place}: {visit.refusal}")
        for each in visit.matches:
            say(f"{place}: {each.kind.value}{' (other name)' if each.renamed else ''}: {each.text}")


def features(result: Mapping[str, object]) -> None:
    """Print features as a table."""
    table = _table("tag", "code", "value", "unit", "status")
    rows = result["features"]
    assert isinstance(rows, list)
    for row in rows:
        number = _plain(row["value"]) if row["value"] is not None else row["reason"]
        table.add_row(row["tag"], row["code"], Text(number), row["unit"], str(row["status"]))
    OUT.print(table)


def _answers(title: str, rows: Sequence[Answer], columns: Mapping[str, str]) -> None:
    """Print rows as a table: heading to name of the value."""
    table = _table(*columns, title=title)
    for row in rows:
        table.add_row(*(Text("-" if row.get(name) is None else str(row[name])) for name in columns.values()))
    OUT.print(table)


def responses(report: RespondReport) -> None:
    """Print time points, lesions and subjects of a response report, and what was refused."""
    who = {"subject": "subject", "reader": "reader"}
    visit = {"visit": "timepoint", "target": "target", "non-target": "non_target", "new": "new", "overall": "overall"}
    _answers("Time points", report.timepoints, {**who, **visit, "sum mm": "sum_mm", "why": "rule"})
    lesion = {"lesion": "lesion", "irradiated": "irradiated", "best": "best", "confirmed": "confirmed_best"}
    _answers("Lesions", report.lesions, {**who, **lesion})
    _answers(
        "Subjects", report.subjects, {**who, "best": "bor", "confirmed": "confirmed_bor", "why": "confirmed_bor_rule"}
    )
    for row in report.findings:
        say(f"{row['severity']}: {row['subject']} {row['reader']}: {row['text']} ({row['code']})")
    _faults(report)


def best_responses(report: BestResponseReport) -> None:
    """Print best overall responses, and what was refused."""
    columns = {"subject": "subject", "best": "bor", "from": "bor_date"}
    confirmed = {"confirmed": "confirmed_bor", "confirmed from": "confirmed_bor_date"}
    _answers("Best overall responses", report.subjects, {**columns, **confirmed})
    _faults(report)


def datasets(report: SdtmReport) -> None:
    """Say what an SDTM export wrote, what its checks found and what was refused."""
    say(", ".join(f"{name} {count}" for name, count in report.records.items()) + " rows")
    for note in report.notes:
        say(f"note: {note}")
    for check in report.checks:
        if check.hits:
            warn(f"{check.id} ({check.severity.value}): {check.text}; {len(check.hits)} rows, see checks.csv")
    _faults(report)


def _faults(report: RespondReport | BestResponseReport | SdtmReport) -> None:
    for fault in report.faults:
        place = fault.subject or "table"
        error(f"{place}: {fault.text}" if fault.line is None else f"{place}, line {fault.line}: {fault.text}")
