"""Where a draft stands: whose, of which visit, with what of the study at hand."""

from dataclasses import dataclass

from npcpit_imaging.app.access.roles import Principal
from npcpit_imaging.app.shelf import Shelf
from npcpit_imaging.app.study import Study
from npcpit_imaging.errors import ReadingError
from npcpit_imaging.store.images import IMAGE_MODALITIES, SeriesSummary, series_of
from npcpit_imaging.study.timepoint import BASELINE


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A study and the volumes that lie open.

    Args:
        study: The study.
        shelf: Its volumes in memory.
    """

    study: Study
    shelf: Shelf


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One reader at one visit.

    Args:
        subject: Subject code.
        timepoint: The visit's name.
        reader: Who reads.
    """

    subject: str
    timepoint: str
    reader: Principal

    @property
    def at_baseline(self) -> bool:
        """Whether this visit is what all others are compared with."""
        return self.timepoint == BASELINE


def visit_series(study: Study, place: Place) -> list[SeriesSummary]:
    """The image series of a place's visit."""
    with study.database.session() as session:
        found = series_of(session, subject=place.subject)
    return [each for each in found if each.timepoint == place.timepoint and each.modality in IMAGE_MODALITIES]


def require_series(study: Study, place: Place, series_uid: str) -> None:
    """Refuse a series that is not of the visit being read.

    Raises:
        ReadingError: It is another visit's.
    """
    if series_uid not in {each.uid for each in visit_series(study, place)}:
        raise ReadingError(f"series {series_uid}: expected one of {place.timepoint}'s images, found another")
