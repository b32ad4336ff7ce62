"""The series of a study: which one belongs to a visit and modality, and its volume."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from npcpit_imaging.app.series_policy import load_by, policy_for
from npcpit_imaging.app.study import Study
from npcpit_imaging.app.wholeness import require_whole
from npcpit_imaging.config.series import SeriesPolicy
from npcpit_imaging.dicom.pet import to_suv
from npcpit_imaging.errors import InputError
from npcpit_imaging.flow.run import Case
from npcpit_imaging.store.digests import inputs_digest, series_digest
from npcpit_imaging.store.images import SeriesSummary, paths_of, series_of
from npcpit_imaging.volume.volume import Modality, Unit, Volume

VOLUMES_IN_MEMORY = 4
"""How many volumes are kept between cases: a visit's CT, its PET and PET/CT, and the baseline's CT."""


def find_series(
    study: Study, subject: str, timepoint: str, modality: Modality, *, series_uid: str = ""
) -> SeriesSummary:
    """The one series of a visit that a lesion of a modality is measured on.

    A CT that shares its frame of reference with a PET is that PET's attenuation map and no choice
    while there is another CT (recist.md 1.1: the CT of a PET/CT counts only when it is diagnostic).

    Raises:
        InputError: There is none or there are several; the message lists them.
    """
    with study.database.session() as session:
        visit = [each for each in series_of(session, subject=subject) if each.timepoint == timepoint]
    found = [each for each in visit if each.modality == modality]
    if series_uid:
        found = [each for each in found if each.uid == series_uid]
    pet_frames = {each.frame_of_reference_uid for each in visit if each.modality == Modality.PT}
    if modality is Modality.CT and len(found) > 1:
        found = [each for each in found if each.frame_of_reference_uid not in pet_frames] or found
    if len(found) != 1:
        listed = "; ".join(f"{each.uid} ({each.instances} slices)" for each in found) or "none"
        raise InputError(f"{subject} {timepoint}: expected one {modality} series, found {listed}")
    return found[0]


def pet_with_ct(study: Study, subject: str, timepoint: str) -> tuple[SeriesSummary, SeriesSummary] | None:
    """The PET of a visit and the CT of the same frame of reference; None when there is no such pair."""
    with study.database.session() as session:
        visit = [each for each in series_of(session, subject=subject) if each.timepoint == timepoint]
    for pet in visit:
        for ct in visit:
            paired = pet.frame_of_reference_uid and pet.frame_of_reference_uid == ct.frame_of_reference_uid
            if pet.modality == Modality.PT and ct.modality == Modality.CT and paired:
                return pet, ct
    return None


def one_visit_at_a_time(cases: Iterable[Case]) -> Iterator[Case]:
    """Let the cases of each visit wait for each other; the first one registers what all of them need.

    Args:
        cases: Named SUBJECT/VISIT/...
    """
    last: dict[str, str] = {}
    for case in cases:
        visit = "/".join(case.name.split("/")[:2])
        before = (last[visit],) if visit in last else ()
        yield replace(case, after=(*case.after, *before))
        last[visit] = case.name


def open_series(study: Study, series_uid: str) -> Volume:
    """Read a series of the study as a volume; a PET in SUVbw.

    Raises:
        StoreError: The series is not in the study.
        SeriesError: It is not one volume.
        QuantityError: Its SUV cannot be trusted.
    """
    with study.database.session() as session:
        paths = tuple(study.objects.files(paths_of(session, series_uid)))
        digests = inputs_digest(session, series_uid)
    return _read(paths, digests, policy_for(study, paths))


@lru_cache(maxsize=VOLUMES_IN_MEMORY)
def _read(paths: tuple[Path, ...], digests: tuple[str, ...], policy: SeriesPolicy) -> Volume:
    return read_volume_of(paths, policy)  # a late slice is another key, and so is a changed policy


def read_volume_of(paths: tuple[Path, ...], policy: SeriesPolicy) -> Volume:
    """Read the objects of one series as a volume, a PET in SUVbw; see `open_series` for what is raised."""
    volume = load_by(policy, paths)
    if volume.modality is Modality.PT and volume.unit is not Unit.SUVBW:
        return to_suv(volume, paths)
    return volume


def series_files(study: Study, series_uid: str) -> list[Path]:
    """The files of a series, where they are now.

    Raises:
        StoreError: The series is not in the study.
    """
    with study.database.session() as session:
        return study.objects.files(paths_of(session, series_uid))


def series_inputs(study: Study, *series_uids: str) -> dict[str, str]:
    """What a result rests on: series UID to digest of its objects. Ask before reading: a late slice is then noticed.

    Raises:
        SkipCaseError: A series is still arriving or is known to lack objects: no result may rest on it.
    """
    require_whole(study, series_uids)
    with study.database.session() as session:
        return {uid: series_digest(session, uid) for uid in series_uids}


def visit_inputs(study: Study, subject: str, timepoint: str) -> tuple[str, ...]:
    """Digests of every object of a visit: what anything computed from it depends on."""
    with study.database.session() as session:
        visit = [each.uid for each in series_of(session, subject=subject) if each.timepoint == timepoint]
        return tuple(digest for uid in visit for digest in inputs_digest(session, uid))
