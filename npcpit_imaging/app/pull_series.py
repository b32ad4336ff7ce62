"""Pull one series until the study holds every instance the PACS lists; ask again by name for what is missing."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from npcpit_imaging.app.intake import Intake
from npcpit_imaging.app.patience import Patience
from npcpit_imaging.app.pull_report import PulledSeries, PullStatus
from npcpit_imaging.app.quality import note_quality
from npcpit_imaging.app.study import Study
from npcpit_imaging.dicom.archive import Archive, InstanceAnswer, SeriesAnswer
from npcpit_imaging.errors import NpcpitError, PeerLostError, PeerRefusedError
from npcpit_imaging.store.completeness import mark_complete, mark_incomplete
from npcpit_imaging.store.pulls import PulledRecord, PulledState, PullLedger


@dataclass(kw_only=True)
class Course:
    """How far one series is.

    Args:
        series: Which.
        uid: Its UID in the study.
        reopened: Whether an earlier pull had found it complete, and more is listed now.
        expected: Every instance listed at any time of this pull; never shrinks.
        listed: UIDs that the PACS listed last.
        held_before: UIDs that were in the study before.
        fault: Why the last round broke off; empty when it did not.
        rounds: How many times objects were asked for.
        settled: How many of the expected were in the study, or waiting in the spool, before the last asking.
    """

    series: SeriesAnswer
    uid: str
    reopened: bool = False
    expected: dict[str, InstanceAnswer] = field(default_factory=dict)
    listed: set[str] = field(default_factory=set)
    held_before: set[str] = field(default_factory=set)
    fault: str = ""
    rounds: int = 0
    settled: int = 0


class SeriesPull:
    """Pulls series, one after another.

    Args:
        study: For the time of day.
        archive: The PACS.
        patience: How often a transfer is tried that brings nothing new.
        intake: The way into the study.
        ledger: Where completeness is recorded.
        subject: Whose series the PACS says these are; empty where it does not say.
    """

    def __init__(
        self, study: Study, *, archive: Archive, patience: Patience, intake: Intake, ledger: PullLedger, subject: str
    ) -> None:
        self._study = study
        self._archive = archive
        self._patience = patience
        self._intake = intake
        self._ledger = ledger
        self._subject = subject

    def run(self, series: SeriesAnswer) -> PulledSeries:
        """Pull a series; whatever happens is its status, and none raises."""
        course = Course(series=series, uid=self._intake.uid_in_study(series.series_uid))
        try:
            self._rounds(course)
            return self._verdict(course)
        except PeerRefusedError as error:
            return self._ended(course, PullStatus.REFUSED, str(error))
        except NpcpitError as error:
            return self._ended(course, PullStatus.FAILED, str(error))

    def _rounds(self, course: Course) -> None:
        """Ask until nothing is missing, or nothing new comes in spite of all retries."""
        tries = 0
        while True:
            self._round(course)
            missing = self._missing(course)
            if not missing and (course.expected or not course.fault):
                return
            if not course.fault and not any(each.sop_instance_uid in course.listed for each in missing):
                return  # gone from the PACS
            if self._settled(course) > course.settled:
                self._patience.succeeded()
                tries = 0
            if not self._patience.wait(tries):
                return
            tries += 1

    def _round(self, course: Course) -> None:
        """List, ask for what is missing, and take what came into the study, also when the PACS was lost midway."""
        broken, course.fault = bool(course.fault), ""
        course.settled = self._settled(
            course
        )  # also where the listing itself fails: else an outage looks like progress
        try:
            self._list(course)
            course.settled = self._settled(course)
            wanted = [each for each in self._missing(course) if each.sop_instance_uid in course.listed]
            if wanted:
                first = broken or course.rounds == 0
                course.rounds += 1
                self._archive.retrieve(course.series, wanted, whole=first and course.settled == 0)
        except PeerLostError as error:
            course.fault = str(error)
        finally:
            self._intake.take_in()

    def _list(self, course: Course) -> None:
        answers = {each.sop_instance_uid: each for each in self._archive.instances(course.series)}
        course.held_before |= self._intake.held(answers.keys() - course.expected.keys())
        course.listed = set(answers)
        course.expected |= answers
        if self._missing(course):
            self._note_start(course)

    def _note_start(self, course: Course) -> None:
        """Record that the series is not complete before anything is asked: it must be true also after a kill."""
        known = self._ledger.record(course.uid)
        course.reopened = known is not None and known.state in (PulledState.COMPLETE, PulledState.REOPENED)
        self._record(course, PulledState.REOPENED if course.reopened else PulledState.RECEIVING)

    def _missing(self, course: Course) -> list[InstanceAnswer]:
        """What the study does not hold, without what waits in the spool: asking for that again helps nobody."""
        held = self._intake.held(course.expected)
        return [each for uid, each in course.expected.items() if uid not in held and uid not in self._intake.waiting]

    def _settled(self, course: Course) -> int:
        return len(course.expected) - len(self._missing(course))

    def _verdict(self, course: Course) -> PulledSeries:
        missing, count = self._missing(course), course.series.count or 0
        waiting = [self._intake.waiting[uid] for uid in course.expected if uid in self._intake.waiting]
        if not course.expected:
            text = course.fault or "the PACS lists the series but none of its instances"
            return self._ended(course, PullStatus.FAILED, text)
        found = self._intake.subject_holding(course.uid)
        if self._subject and found not in (None, self._subject):
            # A corrected Patient ID, or two patients under one Study Instance UID: neither may pass for this row's.
            text = f"expected objects of {self._subject} as the PACS says, found a Patient ID in them that is {found}"
            return self._ended(course, PullStatus.FAILED, text)
        if missing:
            return self._ended(course, PullStatus.INCOMPLETE, course.fault or self._why_missing(course, missing))
        if waiting:
            text = f"{len(waiting)} received but not taken into the study: {waiting[0]}"
            return self._ended(course, PullStatus.FAILED, text)
        if count > len(course.expected):
            text = f"the PACS counts {count} instances but lists {len(course.expected)}"
            return self._ended(course, PullStatus.INCOMPLETE, text)
        return self._ended(course, PullStatus.COMPLETE, "")

    @staticmethod
    def _why_missing(course: Course, missing: Sequence[InstanceAnswer]) -> str:
        gone = sum(each.sop_instance_uid not in course.listed for each in missing)
        if gone:
            return f"the PACS no longer lists {gone} of them"
        return "the PACS lists them but does not send them, or what it sends is in the quarantine"

    def _ended(self, course: Course, status: PullStatus, reason: str) -> PulledSeries:
        held = self._intake.held(course.expected)
        missing = tuple(uid for uid in course.expected if uid not in held)
        if course.expected:
            self._record(course, PulledState.COMPLETE if status is PullStatus.COMPLETE else PulledState.INCOMPLETE)
        if held:
            self._tell_store(course, status, reason)
        return PulledSeries(
            series_uid=course.uid,
            modality=course.series.modality,
            status=status,
            expected=len(course.expected),
            held=len(held),
            received=len(held - course.held_before),
            reopened=course.reopened,
            reason=reason,
            missing=missing,
        )

    def _tell_store(self, course: Course, status: PullStatus, reason: str) -> None:
        """Give the series its state where everybody looks; the ledger keeps the original UIDs of what is missing."""
        with self._study.database.session() as session:
            if status is PullStatus.COMPLETE:
                expected = [self._intake.uid_in_study(uid) for uid in course.expected]
                mark_complete(session, course.uid, expected=expected)
            else:
                mark_incomplete(session, course.uid, expected=len(course.expected), reason=reason)
        note_quality(self._study, course.uid)

    def _record(self, course: Course, state: PulledState) -> None:
        held = self._intake.held(course.expected)
        missing = tuple(uid for uid in course.expected if uid not in held)
        record = PulledRecord(series_uid=course.uid, state=state, expected=len(course.expected), missing=missing)
        self._ledger.put(record, now=self._study.now())
