"""What a study holds: every series with its geometry and findings, every subject's visits and what is done."""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from npcpit_imaging.app.collecting import collecting_rarely
from npcpit_imaging.app.completeness import settle_when_alone
from npcpit_imaging.app.importing import ProgressBar, Tick
from npcpit_imaging.app.matching import LOOK
from npcpit_imaging.app.measure import findings_json
from npcpit_imaging.app.outdated import as_stale, older_responses
from npcpit_imaging.app.quality import compared, note_quality
from npcpit_imaging.app.schedule import PlannedVisit, planned_visits
from npcpit_imaging.app.series_policy import load_by, policy_for
from npcpit_imaging.app.study import Study
from npcpit_imaging.app.study_tables import DateShift
from npcpit_imaging.dicom.scan import ScanResult, group
from npcpit_imaging.dicom.spool_census import SpoolCensus, spool_census
from npcpit_imaging.errors import NpcpitError
from npcpit_imaging.flow.run import Status
from npcpit_imaging.store.adjudications import Adjudicated, adjudications_on_record
from npcpit_imaging.store.bulk import OverallResponse, in_groups, overall_responses
from npcpit_imaging.store.images import (
    IMAGE_MODALITIES,
    SETTLED_STATES,
    SeriesSummary,
    instances_of,
    paths_of,
    series_of,
    subjects,
    timepoints_of_each,
)
from npcpit_imaging.store.reads import SignedRead, newest_reads_of_each
from npcpit_imaging.store.runs import done_reasons, newest_runs
from npcpit_imaging.store.schema import JsonObject
from npcpit_imaging.store.staleness import StaleResult, stale_results_of_each
from npcpit_imaging.store.vault_map import VaultMap
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.study.timepoint import TimePoint


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyedSeries:
    """One series: where it belongs, what its volume is, or why it is none.

    Args:
        summary: The series as indexed.
        geometry: Size and spacing in words; empty when it is no volume.
        refusal: Why it is no volume; empty when it is one.
        findings: What was noticed, also in comparison with the subject's other visits.
        stale: Results that were computed from it before it changed.
        deidentification: What was done to its objects (one of each kind of report), without an original value.
    """

    summary: SeriesSummary
    geometry: str
    refusal: str
    findings: tuple[Finding, ...]
    stale: tuple[StaleResult, ...] = ()
    deidentification: tuple[JsonObject, ...] = ()

    def as_json(self) -> dict[str, object]:
        """The series for a program."""
        return {
            "subject": self.summary.subject,
            "timepoint": self.summary.timepoint,
            "date": self.summary.date,
            "modality": self.summary.modality,
            "series_uid": self.summary.uid,
            "instances": self.summary.instances,
            "state": self.summary.state.value,
            "state_reason": self.summary.state_reason,
            "stale": [_stale_json(each) for each in self.stale],
            "description": self.summary.description,
            "geometry": self.geometry,
            "refusal": self.refusal,
            "deidentification": self.deidentification,
            "findings": findings_json(self.findings),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One time point: what was received, who read it, the response, and where its lesions lie to the light.

    Whether it lies in the window that the protocol plans for it is None where none is planned or known.
    """

    name: str
    date: date
    series: dict[str, int]
    readers: tuple[str, ...]
    response: str
    field: str = ""
    in_window: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticedSeries:
    """A series with findings that a person should see to."""

    summary: SeriesSummary
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectStatus:
    """One subject's visits, those still awaited, series that ask for attention, and stale results."""

    subject: str
    visits: tuple[Visit, ...]
    open_series: tuple[SeriesSummary, ...] = ()
    stale: tuple[StaleResult, ...] = ()
    noticed: tuple[NoticedSeries, ...] = ()
    awaited: tuple[PlannedVisit, ...] = ()


CaseSaid = tuple[str, str, str]
"""Pipeline, case and what its newest run said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyStatus:
    """The whole study: subjects, failures not repaired, lesions to be told apart, and what waits in the spool."""

    subjects: tuple[SubjectStatus, ...]
    failures: tuple[CaseSaid, ...]
    undecided: tuple[CaseSaid, ...]
    spool: SpoolCensus
    protocol_title: str = ""
    protocol_digest: str = ""

    def as_json(self) -> dict[str, object]:
        """The status for a program."""
        return {
            "protocol": {"title": self.protocol_title, "digest": self.protocol_digest},
            "subjects": [
                {
                    "subject": each.subject,
                    "timepoints": [
                        {
                            "name": visit.name,
                            "date": visit.date,
                            "series": visit.series,
                            "readers": list(visit.readers),
                            "response": visit.response,
                            "field": visit.field,
                            "in_window": visit.in_window,
                        }
                        for visit in each.visits
                    ],
                    "awaited": [
                        {
                            "name": one.name,
                            "expected": one.expected,
                            "latest": one.latest,
                            "overdue": one.is_overdue,
                            "ended": one.is_ended,
                        }
                        for one in each.awaited
                    ],
                    "open_series": [
                        {"series_uid": one.uid, "state": one.state.value, "reason": one.state_reason}
                        for one in each.open_series
                    ],
                    "stale": [_stale_json(one) for one in each.stale],
                    "findings": [
                        {"series_uid": one.summary.uid, **finding}
                        for one in each.noticed
                        for finding in findings_json(one.findings)
                    ],
                }
                for each in self.subjects
            ],
            "failures": [{"pipeline": p, "case": c, "reason": r} for p, c, r in self.failures],
            "undecided": [{"pipeline": p, "case": c, "reason": r} for p, c, r in self.undecided],
            "waiting": self.spool.waiting,
            "quarantined": [{"code": each.code, "text": each.text} for each in self.spool.quarantined],
            "unreported_commitments": self.spool.unreported,
        }


def _stale_json(stale: StaleResult) -> dict[str, object]:
    return {"kind": stale.kind.value, "name": stale.name, "reader": stale.reader, "reason": stale.reason}


def survey_series(study: Study, *, progress: ProgressBar) -> list[SurveyedSeries]:
    """Read every series of a study and say what its volume is, or why it is none, and how complete it is."""
    settle_when_alone(study)
    with study.database.session() as session:
        found = series_of(session)
        stale = [
            each
            for codes in in_groups(subjects(session))
            for own in stale_results_of_each(session, codes).values()
            for each in own
        ]
    with progress("reading series", len(found)) as tick:
        volumes = [_read(study, summary, tick) for summary in found]
    with study.database.session() as session:
        differences = compared(series_of(session))
    with VaultMap(study.vault / "identity.sqlite") as vault:
        return [
            SurveyedSeries(
                summary=summary,
                geometry=geometry,
                refusal=refusal,
                findings=tuple(dict.fromkeys((*noticed, *summary.arrival_findings, *differences.get(summary.uid, ())))),
                stale=tuple(each for each in stale if summary.uid in each.series),
                deidentification=_reports(study, summary, vault),
            )
            for summary, (geometry, refusal, noticed) in zip(found, volumes, strict=True)
        ]


def _read(study: Study, summary: SeriesSummary, tick: Tick) -> tuple[str, str, tuple[Finding, ...]]:
    with study.database.session() as session:
        paths = study.objects.files(paths_of(session, summary.uid))
    found = group(paths)
    noticed = note_quality(study, summary.uid, found)
    geometry, refusal, of_volume = _volume(study, summary, found)
    tick()
    return geometry, refusal, (*noticed, *of_volume)


def _reports(study: Study, summary: SeriesSummary, vault: VaultMap) -> tuple[JsonObject, ...]:
    """What de-identification did to the objects of a series, each different report once."""
    with study.database.session() as session:
        uids = instances_of(session, summary.uid)
    found = {json.dumps(report, sort_keys=True): report for uid in uids if (report := vault.report(uid)) is not None}
    return tuple(found.values())


def _volume(study: Study, summary: SeriesSummary, found: ScanResult) -> tuple[str, str, tuple[Finding, ...]]:
    """Size and spacing or the reason why there is no volume, and what was noticed when its voxels were read."""
    if found.rejected or len(found.series) != 1:
        reasons = [each.reason for each in found.rejected] or [f"of {len(found.series)} studies"]
        return "", f"series {summary.uid}: expected {summary.instances} readable objects, found {reasons[0]}", ()
    if summary.modality not in IMAGE_MODALITIES:
        return "", f"{summary.modality} is no image", ()
    try:
        policy = policy_for(study, [found.series[0].first.path])
        volume = load_by(policy, found.series[0])
    except NpcpitError as error:
        return "", str(error), ()
    return volume.geometry.describe(), "", volume.findings


@collecting_rarely()
def survey_study(study: Study) -> StudyStatus:
    """Show every subject's visits: received, read, answered; and what failed, waits or must be made again.

    Raises:
        ConfigError: protocol.toml cannot be used; site.toml was read when the study was opened.
    """
    protocol = study.protocol  # first: without it nothing below could be acted on
    settle_when_alone(study)
    with study.database.session() as session:
        codes = subjects(session)
    failures, undecided = _newest_runs(study)
    older = set(older_responses(study))
    return StudyStatus(
        subjects=tuple(each for group in in_groups(codes) for each in _subjects(study, group, older)),
        failures=failures,
        undecided=undecided,
        spool=spool_census(study.vault / "spool"),
        protocol_title=protocol.title,
        protocol_digest=protocol.digest,
    )


def _subjects(study: Study, codes: Sequence[str], older: Collection[str]) -> Iterator[SubjectStatus]:
    """Some subjects, with one look into each table."""
    series: dict[str, list[SeriesSummary]] = {code: [] for code in codes}
    with study.database.session() as session:
        points = timepoints_of_each(session, codes)
        for each in series_of(session, subjects=codes):
            series[each.subject].append(each)
        reads = newest_reads_of_each(session, codes)
        stale = stale_results_of_each(session, codes, reads=reads)
        answers = overall_responses(session, codes)
        decided = adjudications_on_record(session, subjects=codes)
        lit = done_reasons(session, "followup", ending="/field", subjects=codes)
    shift = DateShift(study, codes)
    for code in codes:
        received = {point.name: point.date for point in points[code]}
        planned = planned_visits(study, code, received, shift=shift)
        by_name = {each.name: each for each in planned}
        overall = _overall(answers.get(code, ()), decided.get(code))
        yield SubjectStatus(
            subject=code,
            noticed=_noticed(series[code]),
            open_series=tuple(each for each in series[code] if each.state not in SETTLED_STATES),
            stale=(*stale[code], *as_stale(code, stale[code], older)),
            awaited=tuple(each for each in planned if each.name not in received),
            visits=tuple(
                _visit(
                    point,
                    series[code],
                    reads[code],
                    overall,
                    lit.get(f"{code}/{point.name}/field", ""),
                    planned=by_name.get(point.name),
                )
                for point in points[code]
            ),
        )


def _visit(
    point: TimePoint,
    series: Sequence[SeriesSummary],
    reads: Sequence[SignedRead],
    answers: Mapping[str, str],
    field: str,
    *,
    planned: PlannedVisit | None,
) -> Visit:
    return Visit(
        name=point.name,
        date=point.date,
        series=dict(sorted(Counter(each.modality for each in series if each.timepoint == point.name).items())),
        readers=tuple(read.reader for read in reads if read.timepoint == point.name),
        response=answers.get(point.name, ""),
        field=field,
        in_window=None if planned is None else planned.in_window(point.date),
    )


def _overall(rows: Sequence[OverallResponse], decision: Adjudicated | None) -> dict[str, str]:
    """Overall response by visit: the adjudicator's choice; else every different answer of the readers."""
    chosen = {row.reader for row in rows}
    if decision is not None and not decision.stale:
        chosen = {decision.chosen}
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        if row.reader in chosen:
            found.setdefault(row.timepoint, {})[row.overall] = None
    return {visit: " / ".join(words) for visit, words in found.items()}


def _noticed(series: list[SeriesSummary]) -> tuple[NoticedSeries, ...]:
    """Warnings and errors of a subject's series, those of a comparison between visits among them."""
    differences = compared(series)
    found = [
        NoticedSeries(
            summary=each,
            findings=tuple(
                finding
                for finding in (*each.findings, *each.arrival_findings, *differences.get(each.uid, ()))
                if finding.severity is not Severity.INFO
            ),
        )
        for each in series
    ]
    return tuple(each for each in found if each.findings)


def _newest_runs(study: Study) -> tuple[tuple[CaseSaid, ...], tuple[CaseSaid, ...]]:
    """Cases that failed, and those that leave a reader to decide which lesion is which."""
    with study.database.session() as session:
        said = [(run.outcome, (run.pipeline, run.case_name, run.reason)) for run in newest_runs(session)]
    failed = tuple(each for outcome, each in said if outcome == Status.FAILED)
    return failed, tuple(each for outcome, each in said if outcome == Status.DONE and LOOK in each[2])
