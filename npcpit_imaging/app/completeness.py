"""Judge series in which nothing has moved for `completeness.settle_s`: quiet, or incomplete with the finding."""

from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

from npcpit_imaging.app.quality import note_quality
from npcpit_imaging.app.study import Study
from npcpit_imaging.dicom.quality import completeness_fault
from npcpit_imaging.dicom.scan import group
from npcpit_imaging.dicom.spool_census import spool_is_free
from npcpit_imaging.errors import NpcpitError, ObjectFaultError, StoreError
from npcpit_imaging.store.completeness import OpenSeries, open_series_of, settle
from npcpit_imaging.store.images import OPEN_STATES, SeriesState, paths_of


def settle_series(
    study: Study, *, carried: Collection[str] = (), settle_s: float | None = None
) -> dict[str, SeriesState]:
    """Judge every open series that has settled.

    Args:
        study: The study.
        carried: Series (UIDs as the study knows them) that an open association has brought objects of: these wait.
        settle_s: Silence in seconds after which a series is judged; the site's without.

    Returns:
        The new state of each series that was judged.
    """
    silence = timedelta(seconds=study.site.completeness.settle_s if settle_s is None else settle_s)
    with study.database.session() as session:
        waiting = open_series_of(session)
    due = [each for each in waiting if each.uid not in carried and study.now() - each.updated >= silence]
    judged: dict[str, SeriesState] = {}
    for each in due:
        try:
            judged[each.uid] = _judge(study, each)
        except StoreError:
            if not judged:
                raise
            break  # what was judged is told; the next look meets the fault again
    return {uid: state for uid, state in judged.items() if state not in OPEN_STATES}


def settle_when_alone(study: Study, *, settle_s: float | None = None) -> dict[str, SeriesState]:
    """Judge settled series, unless a running receiver does: it alone knows which associations are open."""
    return settle_series(study, settle_s=settle_s) if spool_is_free(study.vault / "spool") else {}


def _judge(study: Study, series: OpenSeries) -> SeriesState:
    with study.database.session() as session:
        names = paths_of(session, series.uid)
    try:
        fault = _fault(study, series, study.objects.files(names))
    except ObjectFaultError as error:  # of this series alone: the others are judged
        fault = str(error)
    except NpcpitError:
        raise
    except Exception as error:  # noqa: BLE001 - one series that nobody foresaw must not keep others from being judged
        fault = f"its headers cannot be judged ({type(error).__name__})"
    with study.database.session() as session:
        return settle(session, series, fault=fault)


def _fault(study: Study, series: OpenSeries, paths: list[Path]) -> str:
    found = group(paths)
    reasons = [each.reason for each in found.rejected] + [completeness_fault(each) for each in found.series]
    note_quality(study, series.uid, found)
    return next((reason for reason in reasons if reason), "")
