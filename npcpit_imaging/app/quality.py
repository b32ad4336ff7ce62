"""What is known of a series' quality: noticed once when it has settled, and compared between visits when asked."""

from npcpit_imaging.app.series_policy import policy_for
from npcpit_imaging.app.study import Study
from npcpit_imaging.dicom.circumstances import circumstances_of
from npcpit_imaging.dicom.quality import series_findings
from npcpit_imaging.dicom.scan import ScanResult, Series, group
from npcpit_imaging.errors import NpcpitError
from npcpit_imaging.store.images import IMAGE_MODALITIES, SeriesSummary, paths_of, set_quality
from npcpit_imaging.study.circumstances import Circumstances
from npcpit_imaging.study.comparability import ComparedSeries, compare_visits
from npcpit_imaging.study.finding import Finding, Severity


def note_quality(study: Study, series_uid: str, found: ScanResult | None = None) -> tuple[Finding, ...]:
    """Look at the headers of a series, and record findings and circumstances in the store.

    Args:
        study: The study.
        series_uid: A series of the study.
        found: Its headers, where somebody has just read them.

    Returns:
        The findings, worst first.
    """
    if found is None:
        with study.database.session() as session:
            paths = study.objects.files(paths_of(session, series_uid))
        found = group(paths)
    noticed = tuple(
        finding
        for series in found.series
        for finding in series_findings(series, policy=policy_for(study, [series.first.path]))
    )
    noticed += tuple(_unreadable(each.reason) for each in found.rejected)
    circumstances = _circumstances(found.series[0]) if found.series else None
    with study.database.session() as session:
        set_quality(session, series_uid, noticed, circumstances)
    return noticed


def compared(series: list[SeriesSummary]) -> dict[str, tuple[Finding, ...]]:
    """What differs between the visits of subjects, by series; only series that have settled once can be compared."""
    subjects: dict[str, list[ComparedSeries]] = {}
    for each in series:
        if each.modality in IMAGE_MODALITIES and each.circumstances is not None:
            subjects.setdefault(each.subject, []).append(
                ComparedSeries(
                    uid=each.uid,
                    modality=each.modality,
                    timepoint=each.timepoint,
                    date=each.date,
                    circumstances=each.circumstances,
                )
            )
    found: dict[str, tuple[Finding, ...]] = {}
    for of_subject in subjects.values():
        found |= compare_visits(of_subject)
    return found


def _circumstances(series: Series) -> Circumstances | None:
    try:
        return circumstances_of(series)
    except NpcpitError:
        return None  # an unreadable object is a finding already


def _unreadable(reason: str) -> Finding:
    return Finding(code="unreadable-object", severity=Severity.ERROR, text=reason)
