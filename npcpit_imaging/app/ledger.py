"""What a pipeline's cases came to, in the store: which are done with the same inputs, and a row for each that ran."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import npcpit_imaging
from npcpit_imaging.app.digest import digest_of
from npcpit_imaging.app.study import Study
from npcpit_imaging.flow.run import ALREADY_DONE, Case, Outcome
from npcpit_imaging.store.runs import DONE, KeyedRun, done_keys, newest_keys, put_runs
from npcpit_imaging.store.schema import RunRow

QUICK_S = 0.1
"""A case that took longer is recorded at once: doing it again after a crash would cost more than writing a row."""

HELD_S = 0.5
"""How long rows of quick cases wait for others, so that ten thousand of them are not ten thousand transactions."""


class Ledger:
    """The record of one run of one pipeline; the pipeline's lock sees to it that nobody else writes of its cases.

    Args:
        study: The study.
        pipeline: Its name.
        digest: Of its code and configuration.
        together: Whether rows of quick cases may be written together; not where several cases are at work at once,
            for then the time between two outcomes says nothing of what a case took.
    """

    def __init__(self, study: Study, pipeline: str, digest: str, *, together: bool) -> None:
        self._study, self._pipeline, self._digest, self._together = study, pipeline, digest, together
        with study.database.session() as session:
            self._done = done_keys(session, pipeline)
        self._rows: list[RunRow] = []
        self._started, self._began, self._written = study.now(), time.monotonic(), time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.write()

    def is_done(self, case: Case) -> bool:
        """Whether a case's newest run is done, with the same inputs, code and configuration."""
        return self._done.get(case.name) == self._key(case)

    def record(self, outcome: Outcome) -> None:
        """Keep what became of a case."""
        now, began = time.monotonic(), self._began
        self._began = now
        started, self._started = self._started, self._study.now()
        if outcome.reason == ALREADY_DONE:
            return
        self._rows.append(
            RunRow(
                pipeline=self._pipeline,
                case_name=outcome.case.name,
                key=self._key(outcome.case),
                outcome=outcome.status.value,
                reason=outcome.reason,
                code_version=npcpit_imaging.__version__,
                started=started,
                ended=self._started,
            )
        )
        if not self._together or now - began >= QUICK_S or now - self._written >= HELD_S:
            self.write()

    def write(self) -> None:
        """Write the rows that wait."""
        rows, self._rows = self._rows, []
        if rows:
            with self._study.database.session() as session:
                put_runs(session, rows)
        self._written = time.monotonic()

    def _key(self, case: Case) -> str:
        return _key(self._digest, case)


def _key(digest: str, case: Case) -> str:
    return digest_of(digest, case.name, *case.inputs)


def unsettled_cases(study: Study, pipeline: str, digest: str, cases: Sequence[Case]) -> dict[str, KeyedRun | None]:
    """Cases of a pipeline that were not done with the inputs that they have now, by name.

    Args:
        study: The study.
        pipeline: Its name.
        digest: Of its code and configuration.
        cases: As they are now.

    Returns:
        Their newest run where it had these very inputs (it was skipped or failed), else None.
    """
    with study.database.session() as session:
        newest = newest_keys(session, pipeline)
    same = {case.name: newest.get(case.name) for case in cases}
    for case in cases:
        run = same[case.name]
        if run is not None and run.key != _key(digest, case):
            same[case.name] = None
    return {name: run for name, run in same.items() if run is None or run.outcome != DONE}
