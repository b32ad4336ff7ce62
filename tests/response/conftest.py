"""How the tests of response write a subject: rows of a table, as a reader would."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.response.engine import Case, respond_case
from npcpit_imaging.response.result import SubjectResponse
from npcpit_imaging.study.assessment import Assessment, tenths_from_mm
from npcpit_imaging.study.course import Course, Irradiation
from npcpit_imaging.study.lesion import LesionRole, LesionState

BASELINE_DAY = date(2026, 1, 5)


def _row(lesion: str, found: str, *, timepoint: str, day: date, nodal: bool, **more: object) -> Assessment:
    role = {"T": LesionRole.TARGET, "O": LesionRole.NON_TARGET, "N": LesionRole.NEW}[lesion[0]]
    number = found.replace(".", "").isdigit()
    size = tenths_from_mm(found) if number else None
    return Assessment(
        subject="S1",
        reader="R1",
        timepoint=timepoint,
        date=day,
        lesion=lesion,
        role=role,
        nodal=nodal,
        state=LesionState.MEASURED if number else LesionState(found),
        longest_diameter=None if nodal else size,
        short_axis=size if nodal else None,
        **more,
    )


def write_records(found: dict[str, str], *, every: int = 42, nodal: str = "", **more: object) -> tuple[Assessment, ...]:
    """Write one row per lesion and visit.

    ``found`` maps a lesion to what was found at baseline and each follow-up, separated by blanks: a number in mm, a
    state, or ``-`` for no row. T lesions are targets, O lesions are non-targets, N lesions are new.
    """
    rows = []
    for lesion, line in found.items():
        for index, word in enumerate(line.split()):
            if word != "-":
                name = "BASELINE" if index == 0 else f"FU{index}"
                day = BASELINE_DAY + timedelta(days=every * index)
                rows.append(_row(lesion, word, timepoint=name, day=day, nodal=lesion in nodal.split(), **more))
    return tuple(rows)


@pytest.fixture(scope="session")
def records() -> Callable[..., tuple[Assessment, ...]]:
    """`write_records`, as a fixture."""
    return write_records


@pytest.fixture(scope="session")
def read() -> Callable[..., SubjectResponse]:
    """Write records with `write_records` and give the one reader's responses."""

    def read(
        found: dict[str, str],
        *,
        protocol: Protocol | None = None,
        course: Course | None = None,
        treated: dict[str, str] | None = None,
        **how: object,
    ) -> SubjectResponse:
        irradiations = tuple(
            Irradiation(subject="S1", lesion=lesion, cycle=cycle, date=date.fromisoformat(day))
            for lesion, days in (treated or {}).items()
            for cycle, day in enumerate(days.split(), start=1)
        )
        case = Case(records=write_records(found, **how), course=course, irradiations=irradiations)
        (answer,) = respond_case(case, protocol=protocol or Protocol())
        return answer

    return read


@pytest.fixture(scope="session")
def overall(read: Callable[..., SubjectResponse]) -> Callable[..., str]:
    """Give the overall responses of the follow-ups as one line."""

    def overall(found: dict[str, str], **how: object) -> str:
        return " ".join(tp.overall for tp in read(found, **how).timepoints)

    return overall
