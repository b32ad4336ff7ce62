"""Registrations that leave the study: each follow-up's, as a DICOM object that lays the baseline on it."""

from pathlib import Path

from npcpit_imaging.app.registrations import has_transform, visit_transform
from npcpit_imaging.app.responses import shifted_moment
from npcpit_imaging.app.series import find_series
from npcpit_imaging.app.study import Study
from npcpit_imaging.dicom.spatial_registration import write_spatial_registration
from npcpit_imaging.store.images import paths_of, timepoints
from npcpit_imaging.store.results import registration_between
from npcpit_imaging.study.timepoint import BASELINE
from npcpit_imaging.volume.volume import Modality


def write_registrations(study: Study, subject: str, folder: Path) -> list[tuple[Path, str]]:
    """Write a registration object for every visit whose registration was not rejected and still holds.

    Raises:
        NpcpitError: An image is gone, or the object cannot be built.
    """
    with study.database.session() as session:
        visits = [point.name for point in timepoints(session, subject) if point.name != BASELINE]
    return [
        _write(study, subject, visit, folder / f"{subject}_{visit}_CT_REG.dcm")
        for visit in visits
        if has_transform(study, subject, visit)
    ]


def _write(study: Study, subject: str, visit: str, path: Path) -> tuple[Path, str]:
    transform, uncertainty_mm = visit_transform(study, subject, visit)
    fixed, moving = (find_series(study, subject, name, Modality.CT).uid for name in (visit, BASELINE))
    with study.database.session() as session:
        row = registration_between(session, fixed, moving)
        here, there = (study.objects.files(paths_of(session, series_uid)) for series_uid in (fixed, moving))
    assert row is not None, "visit_transform found it"
    write_spatial_registration(
        path,
        transform,
        fixed=here,
        moving=there,
        created=shifted_moment(study, subject, row.created),
        comment=f"Registration: {row.verdict}, +/- {uncertainty_mm:.1f} mm",
    )
    return path, "registration"
