"""A subject's course beside the images: treatments, other therapy, death, last contact."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Dates of one subject; None where the date is not known or the event did not happen.

    Args:
        subject: Subject code.
        treatment_start: First treatment of the study.
        randomisation: Randomisation, where the trial has one.
        death_date: Death of any cause.
        last_contact: Last day the subject was known to be alive.
        new_therapy_date: Start of another anticancer therapy.
        cutoff: Data cut-off: later records are not used.
    """

    subject: str
    treatment_start: date | None = None
    randomisation: date | None = None
    death_date: date | None = None
    last_contact: date | None = None
    new_therapy_date: date | None = None
    cutoff: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Irradiation:
    """One lesion irradiated in one treatment cycle.

    Args:
        subject: Subject code.
        lesion: The lesion's name.
        cycle: Number of the cycle, from 1.
        date: Day of the illumination.
    """

    subject: str
    lesion: str
    cycle: int
    date: date


def treated_later(light: Iterable[Irradiation], cut: date | None) -> frozenset[tuple[str, str]]:
    """Subject and lesion of those that light reached only after a data cut: on its day they were not irradiated.

    Example:
        >>> light = [Irradiation(subject="S1", lesion=name, cycle=1, date=date(2026, 5, 1)) for name in ("T01", "T02")]
        >>> again = Irradiation(subject="S1", lesion="T01", cycle=2, date=date(2026, 6, 1))
        >>> sorted(treated_later([*light[1:], again], date(2026, 5, 20)))
        [('S1', 'T01')]
        >>> treated_later(light, None)
        frozenset()
    """
    every = list(light)
    known = {(each.subject, each.lesion) for each in every if cut is None or each.date <= cut}
    return frozenset((each.subject, each.lesion) for each in every) - known
