"""A de-identified study of a few subjects with everything results need: images, masks, reads, tables."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

from npcpit_imaging.app.importing import import_folder
from npcpit_imaging.app.responses import respond_to_reads
from npcpit_imaging.app.series import open_series
from npcpit_imaging.app.study import Study
from npcpit_imaging.store.digests import series_digest
from npcpit_imaging.store.images import assemble_timepoints, series_of
from npcpit_imaging.store.lesions import StoredProposal, put_lesion, put_proposal
from npcpit_imaging.store.reads import ConfirmedLesion, sign_read
from npcpit_imaging.study.caliper import Caliper
from npcpit_imaging.study.lesion import Lesion, LesionRole, LesionState
from npcpit_imaging.study.measurement import Measurement
from npcpit_imaging.volume.files import write_mask
from npcpit_imaging.volume.volume import Mask

NOW = datetime(2026, 1, 5, tzinfo=UTC)
VISITS = ("BASELINE", "FU1", "FU2")
SIZES_MM = {"BASELINE": 30.0, "FU1": 18.0, "FU2": 12.0}
COMMENT = "Yamada Taro said so on the phone"


def first_day(number: int) -> date:
    """First treatment of a subject, a true date."""
    return date(2022, 3, 1) + timedelta(days=17 * number)


SECRET = "ea" * 32
"""Of this invented study: it moves subjects by 292 to 349 days, so no moved date is another's true date."""


def make_study(
    study: Study,
    write_series: Callable[..., Path],
    quiet: object,
    *,
    subjects: int = 3,
    named: Sequence[str] = (),
    lesions: tuple[str, str] = ("T01", "T02"),
) -> list[str]:
    """Fill a study: one CT per visit, two irradiated lesions each, two readers, treatments, events, profiles."""
    folder = study.folder
    (folder / "vault" / "key").write_text(SECRET)
    (folder / "vault" / "key").chmod(0o600)
    codes = list(named) or [f"NPC-{number + 1:04d}" for number in range(subjects)]
    patients = "".join(f"HOSPITAL-{number},{code}\n" for number, code in enumerate(codes))
    (folder / "vault" / "subjects.csv").write_text(f"patient_id,subject\n{patients}", encoding="utf-8")
    for number, code in enumerate(codes):
        days = [first_day(number) + timedelta(days=each) for each in (-7, 45, 90)]
        for order, day in enumerate(days):
            series = f"{number + 1}{order + 1}"
            source = write_series(day.strftime("%Y%m%d"), series, patient=f"HOSPITAL-{number}")
            import_folder(study, source, progress=quiet)  # type: ignore[arg-type]
        with study.database.session() as session:
            assemble_timepoints(session, code, window_days=14)
        _read(study, code, number, names=lesions)
    write_tables(study, codes, lesions)
    for code in codes:
        respond_to_reads(study, code)
    return codes


def _read(study: Study, code: str, number: int, *, names: tuple[str, str]) -> None:
    lesions = [
        Lesion(
            lesion_id=name, tracking_uid=f"2.25.{number}{place}", role=LesionRole.TARGET, organ=f"organ {name}",
            location="NASOPHARYNX", irradiated=True,
        )
        for place, name in enumerate(names)
    ]  # fmt: skip
    with study.database.session() as session:
        for lesion in lesions:
            put_lesion(session, code, lesion)
        series = {each.timepoint: each.uid for each in series_of(session, subject=code)}
    for visit in VISITS:
        ids = [_mask(study, code, lesion, visit, series[visit], place) for place, lesion in enumerate(lesions)]
        for reader, factor in (("R1", 1.0), ("R2", 1.05 if number else 1.9)):
            confirmed = [
                ConfirmedLesion(
                    lesion=lesion,
                    state=LesionState.MEASURED,
                    longest_diameter_mm=round(SIZES_MM[visit] * (factor if visit != "BASELINE" else 1.0) + place, 1),
                    short_axis_mm=5.0,
                    proposal_id=ids[place],
                    accepted="proposal",
                    comment=COMMENT,
                )
                for place, lesion in enumerate(lesions)
            ]
            with study.database.session() as session:
                sign_read(session, subject=code, timepoint=visit, reader=reader, lesions=confirmed, now=NOW)


def _mask(study: Study, code: str, lesion: Lesion, visit: str, series_uid: str, place: int) -> int:
    volume = open_series(study, series_uid)
    voxels = np.zeros(volume.geometry.shape_kji, bool)
    voxels[0:2, 2:5, 1 + place : 3 + place] = True
    path = study.derived / code / visit / f"{lesion.lesion_id}.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = Mask(voxels=voxels, geometry=volume.geometry, label=lesion.lesion_id)
    write_mask(mask, path)
    line = Caliper(start_mm=(0.0, 0.0, 0.0), end_mm=(3.0, 0.0, 0.0))
    volume_ml = voxels.sum() * float(np.prod(volume.geometry.spacing_mm)) / 1000
    with study.database.session() as session:
        return put_proposal(
            session,
            StoredProposal(
                lesion=lesion,
                subject=code,
                timepoint=visit,
                series_uid=series_uid,
                mask_path=path.relative_to(study.folder).as_posix(),
                mask_sha256=mask.digest,
                prompt={},
                segmenter={"name": "ellipsoid", "version": "1"},
                measurement=Measurement(
                    longest_diameter=line, short_axis=line, slice_index_k=0, slice_position_mm=0.0,
                    volume_ml=float(volume_ml), components=1, convention="axial",
                ),
                uptake=None,
                key=f"{code} {visit} {lesion.lesion_id}",
                inputs={series_uid: series_digest(session, series_uid)},
            ),
            now=NOW,
        )  # fmt: skip


def write_tables(study: Study, codes: list[str], lesions: tuple[str, str] = ("T01", "T02")) -> None:
    """Hand in treatments, courses, cycles, events and one declared table, all with true dates."""
    tables = study.tables
    light, courses, cycles, events, clinical = [], [], [], [], []
    for number, code in enumerate(codes):
        day = first_day(number)
        light += [f"{code},{name},1,{day}" for name in lesions]
        courses.append(f"{code},{day},{day + timedelta(days=200)},consented,64,")
        cycles.append(f"{code},1,{day - timedelta(days=1)},{day}")
        events.append(f"{code},Oral pain,{1 + number % 3},{day + timedelta(days=3)},{lesions[0]}")
        clinical.append(f"{code},{12.1 + number},{day - timedelta(days=30)}")
    for name, header, rows in (
        ("treatments.csv", "subject,lesion,cycle,date", light),
        ("subjects.csv", "subject,treatment_start,last_contact,consent,age_years,exclusion", courses),
        ("cycles.csv", "subject,cycle,infusion,illumination", cycles),
        ("adverse_events.csv", "subject,term,grade,start,lesion", events),
        ("profiles/clinical.csv", "subject,haemoglobin,biopsied", clinical),
    ):
        (tables / name).parent.mkdir(exist_ok=True)
        (tables / name).write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    (tables / "profiles" / "dictionary.toml").write_text(DICTIONARY, encoding="utf-8")


DICTIONARY = """
[[variables]]
name = "haemoglobin"
file = "clinical.csv"
level = "subject"
kind = "number"
group = "clinical"
unit = "g/dL"
minimum = 3
maximum = 25

[[variables]]
name = "biopsied"
file = "clinical.csv"
level = "subject"
kind = "date"
group = "clinical"
"""
