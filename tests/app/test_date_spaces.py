"""De-identification moves dates and nothing else: the same responses with and without, and never two spaces in one."""

import json
import re
from datetime import date, timedelta
from pathlib import Path

import pytest

from npcpit_imaging.app.arrivals import Arrivals
from npcpit_imaging.app.importing import import_folder
from npcpit_imaging.app.responses import respond_to_reads, shifted
from npcpit_imaging.app.study import Study, init_study, open_study
from npcpit_imaging.app.vault import study_key
from npcpit_imaging.dicom.deidentify import subject_shift_days
from npcpit_imaging.errors import StoreError
from npcpit_imaging.store.images import timepoints
from npcpit_imaging.store.lesions import put_lesion
from npcpit_imaging.store.reads import ConfirmedLesion, sign_read
from npcpit_imaging.store.results import responses_of
from npcpit_imaging.store.schema import InstanceRow
from npcpit_imaging.store.vault_map import VaultMap
from npcpit_imaging.study.lesion import Lesion, LesionRole, LesionState

SUBJECT, HOSPITAL_ID = "NPC-0001", "HOSPITAL-4711"
VISITS = {
    "BASELINE": ("20240105", 50.0),
    "FU1": ("20240301", 30.0),
    "FU2": ("20240426", 28.0),
    "FU3": ("20240621", 44.0),
}
ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def lesion(lesion_id: str, role: LesionRole) -> Lesion:
    return Lesion(
        lesion_id=lesion_id,
        tracking_uid=f"2.25.{ord(lesion_id[0])}",
        role=role,
        organ="NASOPHARYNX",
        location="NASOPHARYNX",
        irradiated=role is LesionRole.TARGET,
    )


def a_study(folder: Path, *, deidentified: bool) -> None:
    init_study(folder)
    (folder / "vault" / "subjects.csv").write_text(f"patient_id,subject\n{HOSPITAL_ID},{SUBJECT}\n", encoding="utf-8")
    (folder / "vault" / "key").write_text("11" * 32, encoding="ascii")
    (folder / "tables" / "treatments.csv").write_text(
        f"subject,lesion,cycle,date\n{SUBJECT},T01,1,2024-01-20\n{SUBJECT},T01,2,2024-03-10\n", encoding="utf-8"
    )
    (folder / "tables" / "subjects.csv").write_text(
        f"subject,treatment_start,death_date,last_contact\n{SUBJECT},2024-01-20,2024-12-01,2024-11-30\n",
        encoding="utf-8",
    )
    switch(folder, deidentified)


def switch(folder: Path, deidentified: bool) -> None:
    site = folder / "configs" / "site.toml"
    words = f"enabled = {str(deidentified).lower()}"
    text, count = re.subn(r"(?m)^enabled *= *(true|false)", words, site.read_text(encoding="utf-8"))
    assert count == 1
    site.write_text(text, encoding="utf-8")


def read_and_answer(study: Study) -> list[str]:
    """Sign a read of every visit with the same sizes, and give back every response as JSON."""
    target, other = lesion("T01", LesionRole.TARGET), lesion("N01", LesionRole.NON_TARGET)
    with study.database.session() as session:
        put_lesion(session, SUBJECT, target)
        put_lesion(session, SUBJECT, other)
        for name, (_, size_mm) in VISITS.items():
            found = [
                ConfirmedLesion(
                    lesion=target, state=LesionState.MEASURED, longest_diameter_mm=size_mm, accepted="caliper"
                ),
                ConfirmedLesion(lesion=other, state=LesionState.PRESENT),
            ]
            sign_read(session, subject=SUBJECT, timepoint=name, reader="R1", lesions=found, now=study.now())
    respond_to_reads(study, SUBJECT)
    with study.database.session() as session:
        return [
            json.dumps([row.level, row.timepoint, row.lesion_id, row.values], sort_keys=True, default=str)
            for row in responses_of(session, SUBJECT)
        ]


def test_responses_with_and_without_deidentification_differ_in_dates_alone(tmp_path, write_series, quiet):
    sources = [write_series(day, str(number)) for number, (day, _) in enumerate(VISITS.values(), 1)]
    answers, shift = {}, 0
    for deidentified in (True, False):
        folder = tmp_path / f"study-{deidentified}"
        a_study(folder, deidentified=deidentified)
        with open_study(folder) as study:
            for source in sources:
                import_folder(study, source, progress=quiet)
            answers[deidentified] = read_and_answer(study)
            shift = subject_shift_days(study_key(study), SUBJECT)
    assert shift != 0
    back = [
        ISO_DAY.sub(lambda day: str(date.fromisoformat(day[0]) - timedelta(days=shift)), each) for each in answers[True]
    ]
    assert back == answers[False]
    everything = "\n".join(answers[False])
    assert len(set(ISO_DAY.findall(everything))) >= 4, (
        "dates are in the answers, so that the comparison means something"
    )
    assert '"PR"' in everything
    assert '"PD"' in everything


def test_a_switch_in_the_middle_of_a_subject_is_refused_and_its_tables_stay_in_its_dates(tmp_path, write_series, quiet):
    folder = tmp_path / "study"
    a_study(folder, deidentified=True)
    day = date(2024, 1, 20)
    with open_study(folder) as study:
        import_folder(study, write_series("20240105", "1"), progress=quiet)
        moved = shifted(study, SUBJECT, day)
        assert moved != day
    switch(folder, deidentified=False)
    with open_study(folder) as study:
        report = import_folder(study, write_series("20240301", "2"), progress=quiet)
        assert len(report.refused) == 3
        assert "subject NPC-0001: expected objects in shifted dates" in report.refused[0].reason
        assert shifted(study, SUBJECT, day) == moved, "a treatment's date is where the images are"
        with study.database.session() as session:
            assert [point.name for point in timepoints(session, SUBJECT)] == ["BASELINE"]
        import_folder(study, write_series("20240301", "3", patient="HOSPITAL-0815"), progress=quiet)
        with study.database.session() as session:
            (other,) = {row.deidentified for row in session.query(InstanceRow) if "1.2.3.3" in row.sop_instance_uid}
    assert other is False, "another subject may be in the hospital's dates"


def test_the_vault_tells_what_every_object_was_and_nobody_else_does(study, write_series):
    source = write_series("20240105", "1", count=2)
    Arrivals(study).take(source / "1-1")
    with study.database.session() as session:
        (row,) = session.query(InstanceRow)
    with VaultMap(study.vault / "identity.sqlite") as vault:
        found = vault.mapped("1.2.3.1.1")
        assert found is not None
        assert (found.sop_instance_uid, found.received_sha256, found.sha256) == (
            row.sop_instance_uid,
            row.received_sha256,
            row.sha256,
        )
        assert vault.new_uid("1.2.3.1.1") == row.sop_instance_uid
        assert vault.original_uid(row.series_uid) == "1.2.3.1.0"
        assert vault.mapped("1.2.3.4") is None
    assert (study.vault / "identity.sqlite").stat().st_mode & 0o077 == 0


def test_a_vault_that_cannot_be_written_stops_the_object_before_it_is_indexed(study, write_series, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise StoreError("vault: table of original UIDs: disk full")

    monkeypatch.setattr(VaultMap, "put_all", full)
    with pytest.raises(StoreError, match="disk full"):
        Arrivals(study).take(write_series("20240105", "1", count=1) / "1-0")
    with study.database.session() as session:
        assert session.query(InstanceRow).count() == 0
