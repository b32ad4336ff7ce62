"""What a research export may not do: write over a file, tell of a state that is over, or give anybody away."""

import gzip
import shutil
from datetime import timedelta
from pathlib import Path

import nibabel as nib
import pandas as pd
import pytest

from npcpit_imaging.app.delivery import deliver_tables, export
from npcpit_imaging.app.exported_transforms import copy_transforms
from npcpit_imaging.app.research_export import export_research
from npcpit_imaging.app.research_images import write_subject
from npcpit_imaging.app.results import deliver_results
from npcpit_imaging.app.study import init_study, open_study
from npcpit_imaging.errors import InputError
from npcpit_imaging.store.digests import series_digests
from npcpit_imaging.store.images import series_of
from npcpit_imaging.store.lesions import lesions_of
from npcpit_imaging.store.reads import ConfirmedLesion, sign_read
from npcpit_imaging.store.results import put_registration
from npcpit_imaging.store.schema import RegistrationRow
from npcpit_imaging.study.lesion import LesionState
from tests.app.conftest import quietly, series_writer
from tests.app.results_study import make_study
from tests.app.test_results import decide

CODES = ("S1-11", "S11-1")
LESIONS = ("T-1", "T1")


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A delivered study whose codes differ only in punctuation, made once; every test has a copy."""
    folder = tmp_path_factory.mktemp("template")
    init_study(folder / "study")
    with open_study(folder / "study") as study:
        make_study(study, series_writer(folder), quietly, named=CODES, lesions=LESIONS)
        say_more(study)
        decide(study, 'analysis_reader = "R1"')
        deliver_tables(study)
        deliver_results(study, figures=False)
    return folder / "study"


def say_more(study) -> None:
    """A site writes days and a name where it likes, and excludes one subject in its own words, the other not."""
    events = study.tables / "adverse_events.csv"
    events.write_text(
        "subject,term,grade,start,lesion,field\n"
        "S1-11,Oral pain,1,2022-03-04,T-1,left nasopharynx (Dr Yamada 2022-01-20)\n"
        "S1-11,Pain since 2022-01-20,2,2022-03-05,,\n"
        "S11-1,CD4 lymphocytes decreased,3,2022-03-21,scar of 2022-01-20,\n",
        encoding="utf-8",
    )
    people = study.tables / "subjects.csv"
    first, second, third = people.read_text(encoding="utf-8").splitlines()
    people.write_text(f"{first}\n{second}moved 2022-05-05 (Dr Yamada)\n{third}No\n", encoding="utf-8")


@pytest.fixture
def delivered(template, tmp_path):
    shutil.copytree(template, tmp_path / "study")
    with open_study(tmp_path / "study") as study:
        yield study


@pytest.fixture(scope="module")
def exported(template, tmp_path_factory):
    """A research export; tests only read it."""
    out = tmp_path_factory.mktemp("exported") / "out"
    with open_study(template) as study:
        done = export_research(study, out)
    return out, done


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Every file, gzip opened."""
    return {
        path.relative_to(folder).as_posix(): gzip.decompress(path.read_bytes())
        if path.suffix == ".gz"
        else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_subjects_and_lesions_that_differ_only_in_punctuation_keep_images_and_masks_of_their_own(exported):
    """2 subjects x 3 visits x 2 lesions: 12 masks and 6 images; lesion T1 lies one voxel further along x than T-1."""
    out, _ = exported
    masks = pd.read_csv(out / "masks.tsv", sep="\t")
    assert (len(masks), masks["mask"].nunique(), masks["image"].nunique()) == (12, 12, 6)
    assert len(list(out.glob("sub-*/**/*.nii.gz"))) == 6
    lasts = {
        lesion: {int(nib.load(out / row.mask).get_fdata().nonzero()[0].min()) for row in own.itertuples()}
        for lesion, own in masks.groupby("lesion")
    }
    assert all(len(places) == 1 for places in lasts.values())
    assert lasts["T-1"] != lasts["T1"]
    participants = pd.read_csv(out / "participants.tsv", sep="\t")
    assert participants["participant_id"].nunique() == 2
    assert dict(zip(participants["subject"], participants["participant_id"], strict=True)) == dict(
        zip(masks["subject"], masks["participant_id"], strict=True)
    )
    assert masks.groupby("lesion")["lesion_label"].nunique().to_dict() == {"T-1": 1, "T1": 1}
    assert masks["lesion_label"].nunique() == 2
    assert all(row.lesion_label in row.mask and row.participant_id in row.mask for row in masks.itertuples())


def test_what_a_site_wrote_freely_of_adverse_events_and_exclusions_stays(exported):
    """One term with a day, one treated field and one lesion that nobody knows; CD4 is CTCAE's own digit."""
    out, done = exported
    events = pd.read_csv(out / "tables" / "adverse_events.csv")
    assert "field" not in events
    assert list(events["term"]) == ["Oral pain", "withheld", "CD4 lymphocytes decreased"]
    assert list(events["lesion"].fillna("")) == ["T-1", "", ""]
    assert list(events["grade"]) == [1, 2, 3]
    worst = pd.read_csv(out / "tables" / "adverse_event_worst_grades.csv")
    assert set(worst["term"]) == {"any event", "Oral pain", "withheld", "CD4 lymphocytes decreased"}
    note = "of adverse events withheld: 1 terms that hold a digit, 1 lesions that are none of the subject's"
    assert done.notes == (note,)
    assert note[1:] in (out / "README.md").read_text(encoding="utf-8")
    for name, content in bytes_of(out).items():
        assert not [word for word in (b"2022-01-20", b"2022-05-05", b"Yamada") if word in content], name


def test_participants_tell_who_is_eligible_without_the_sites_words_and_no_is_no_exclusion(exported):
    out, _ = exported
    people = pd.read_csv(out / "participants.tsv", sep="\t", keep_default_na=False).set_index("subject")
    assert people.loc["S1-11", ["eligible", "reason"]].tolist() == ["not met", "exclusion: excluded by the site"]
    assert people.loc["S11-1", ["eligible", "reason"]].tolist() == ["met", ""]


@pytest.mark.parametrize("consent", ["withdrawn", "refused"])
def test_nothing_of_a_subject_without_consent_leaves(delivered, tmp_path, consent):
    """Neither file nor row nor code of S11-1 is in the export; SDTM is made anew of S1-11 alone."""
    people = delivered.tables / "subjects.csv"
    first, second, third = people.read_text(encoding="utf-8").splitlines()
    people.write_text("\n".join([first, second, third.replace("consented", consent)]) + "\n", encoding="utf-8")
    done = export_research(delivered, tmp_path / "out")
    note = f"1 of 2 subjects left out: 1 whose consent is {consent}"
    assert done.notes[0] == note
    assert note in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    found = bytes_of(tmp_path / "out")
    assert not [name for name, content in found.items() if b"S11-1" in content or "S11-1" in name]
    assert len([name for name in found if name.endswith("mask.nii.gz")]) == 6
    assert b"S1-11" in found["sdtm/tr.xpt"] and b"S11-1" in (delivered.deliver / "sdtm" / "tr.xpt").read_bytes()


def test_what_status_shows_as_stale_does_not_leave(delivered, tmp_path):
    """A read is corrected: R1's responses, and all that was delivered of them, tell of the one before."""
    with delivered.database.session() as session:
        gone = [ConfirmedLesion(lesion=each, state=LesionState.ABSENT) for each in lesions_of(session, "S1-11")]
        sign_read(
            session,
            subject="S1-11",
            timepoint="FU1",
            reader="R1",
            lesions=gone,
            now=delivered.now() + timedelta(seconds=1),
            reason="correction",
        )
    words = (
        r"1 stale: S1-11 response by R1 \(FU1 was read again since\); do npcpit run respond, then npcpit run deliver$"
    )
    for leave in (export, export_research):
        with pytest.raises(InputError, match=words):
            leave(delivered, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_responses_older_than_the_studys_tables_do_not_leave(delivered, tmp_path):
    """A new cut-off of S1-11: what was answered before stands no more."""
    people = delivered.tables / "subjects.csv"
    text = people.read_text(encoding="utf-8")
    people.write_text(
        "".join(f"{line},{new}\n" for line, new in zip(text.splitlines(), ("cutoff", "2022-04-20", ""), strict=True))
    )
    with pytest.raises(InputError, match=r"1 stale: S1-11 response \(reads, tables or protocol have changed since\)"):
        export_research(delivered, tmp_path / "out")


def test_every_transform_says_what_became_of_its_registration(delivered, tmp_path):
    """FU1's first registration was superseded, FU2's only one rejected; a file nobody has on record stays."""
    folder = delivered.derived / "S1-11"
    with delivered.database.session() as session:
        uid = {each.timepoint: each.uid for each in series_of(session, subject="S1-11")}
        digests = series_digests(session, ["S1-11"])
        for visit, name, verdict in (("FU1", "a", "accept"), ("FU1", "b", "warn"), ("FU2", "c", "reject")):
            (folder / f"{name}.tfm").write_text(name)
            row = RegistrationRow(
                fixed_series_uid=uid[visit],
                moving_series_uid=uid["BASELINE"],
                path=f"derived/S1-11/{name}.tfm",
                verdict=verdict,
                quality={"uncertainty_mm": 1.5, "reasons": ["overlap 0.2"], "transform_sha256": name},
                inputs={each: digests[each] for each in (uid[visit], uid["BASELINE"])},
                key=name,
                created=delivered.now(),
            )
            put_registration(session, row)
    (folder / "left over.tfm").write_text("of nobody")
    copy_transforms(delivered, CODES, tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "transforms.tsv", sep="\t")
    assert table[["transform", "verdict", "current"]].to_numpy().tolist() == [
        ["S1-11/a.tfm", "accept", "superseded"],
        ["S1-11/b.tfm", "warn", "yes"],
        ["S1-11/c.tfm", "reject", "yes"],
    ]
    assert sorted(path.name for path in (tmp_path / "out").rglob("*.tfm")) == ["a.tfm", "b.tfm", "c.tfm"]


def test_no_file_of_an_export_is_written_over(delivered, tmp_path):
    write_subject(delivered, "S1-11", "S111", tmp_path / "out", images=True)
    with pytest.raises(InputError, match=r"a name of its own for every file, found sub-S111_ses-BASELINE_ct\.nii\.gz"):
        write_subject(delivered, "S11-1", "S111", tmp_path / "out", images=True)
