"""Lesions and prompts from tables: corrected while nothing is signed, refused with line and both values after that."""

from pathlib import Path

import pytest

from npcpit_imaging.app.lesions import LESION_COLUMNS, PROMPT_COLUMNS, read_prompts, store_lesions
from npcpit_imaging.app.pipelines import run_pipeline
from npcpit_imaging.errors import TableError
from npcpit_imaging.flow.run import Status
from npcpit_imaging.store.lesions import lesion_named, lesions_of
from npcpit_imaging.store.reads import ConfirmedLesion, sign_read
from npcpit_imaging.study.lesion import LesionState

SUBJECT, OTHER = "NPC-0001", "NPC-0002"
T01 = f"{SUBJECT},T01,TARGET,NASOPHARYNX,NASOPHARYNX,no,yes,yes,"
BESIDE = f"{OTHER},T01,TARGET,NASOPHARYNX,NASOPHARYNX,no,yes,yes,"


@pytest.fixture
def peopled(study, arrive, write_series):
    """A study with a baseline CT of two subjects."""
    with (study.vault / "subjects.csv").open("a", encoding="utf-8") as table:
        table.write(f"HOSPITAL-4712,{OTHER}\n")
    arrive(write_series("20240105", "1"))
    arrive(write_series("20240105", "2", patient="HOSPITAL-4712"))
    return study


def lesion_table(study, *lines: str) -> None:
    text = "\n".join((",".join(LESION_COLUMNS), *lines, ""))
    (study.tables / "lesions.csv").write_text(text, encoding="utf-8")


def prompt_table(study, *lines: str) -> Path:
    path = study.tables / "prompts.csv"
    path.write_text("\n".join((",".join(PROMPT_COLUMNS), *lines, "")), encoding="utf-8")
    return path


def lesion(study, subject: str = SUBJECT):
    with study.database.session() as session:
        return lesion_named(session, subject, "T01")


def sign(study) -> None:
    with study.database.session() as session:
        found = ConfirmedLesion(lesion=lesion_named(session, SUBJECT, "T01"), state=LesionState.ABSENT)
        sign_read(session, subject=SUBJECT, timepoint="BASELINE", reader="R1", lesions=[found], now=study.now())


def test_a_lesion_is_corrected_while_no_signed_read_names_it_and_the_change_is_said(peopled, caplog):
    lesion_table(peopled, T01)
    assert store_lesions(peopled) == {}
    lesion_table(peopled, T01.replace("no,yes,yes,", "no,no,yes,yes"))
    assert store_lesions(peopled) == {}
    assert (lesion(peopled).irradiated, lesion(peopled).prior_rt_progression_documented) == (False, True)
    (said,) = caplog.messages
    assert "line 2" in said
    assert "irradiated was yes, is now no, prior_rt_progression_documented was empty, is now yes" in said


def test_a_signed_lesion_is_refused_with_line_old_and_new_and_the_other_subject_is_stored(peopled):
    lesion_table(peopled, T01)
    store_lesions(peopled)
    sign(peopled)
    lesion_table(peopled, BESIDE, T01.replace("no,yes,yes,", "no,no,yes,"))
    faults = store_lesions(peopled)
    assert list(faults) == [SUBJECT]
    assert "lesions.csv: line 3: subject NPC-0001, lesion T01: irradiated was yes, is now no;" in faults[SUBJECT]
    assert lesion(peopled).irradiated
    assert lesion(peopled, OTHER).irradiated


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (T01, "line 3: lesion NPC-0001 T01 stands already on line 2"),
        (f"{SUBJECT},T02,TARGTE,X,X,no,no,no,", "line 3: role: expected TARGET, NON-TARGET, NEW, found 'TARGTE'"),
    ],
)
def test_a_faulty_line_stores_nothing_of_its_subject_and_everything_of_the_others(line, words, peopled):
    lesion_table(peopled, T01, line, BESIDE)
    faults = store_lesions(peopled)
    assert list(faults) == [SUBJECT]
    assert words in faults[SUBJECT]
    with peopled.database.session() as session:
        assert [len(lesions_of(session, code)) for code in (SUBJECT, OTHER)] == [0, 1]


def test_a_subject_s_faulty_lesions_fail_its_cases_and_only_them(peopled):
    """The other subject's case fails for its own reason: it has no PET. A third subject has no case and no image."""
    lesion_table(peopled, T01.replace("TARGET", "TARGTE"), BESIDE, "NPC-0003,T01,TARGTE,X,X,no,no,no,")
    prompt_table(
        peopled,
        f'{SUBJECT},BASELINE,T01,PT,point,"1,1,1"',
        f'{OTHER},BASELINE,T01,PT,point,"1,1,1"',
    )
    reasons = {each.case.name: (each.status, each.reason) for each in run_pipeline(peopled, "baseline")}
    assert list(reasons) == [f"{SUBJECT}/BASELINE/T01/PT", f"{OTHER}/BASELINE/T01/PT", "NPC-0003/lesions"]
    assert {status for status, _ in reasons.values()} == {Status.FAILED}
    assert "lesions.csv: line 2: role" in reasons[f"{SUBJECT}/BASELINE/T01/PT"][1]
    assert "role" not in reasons[f"{OTHER}/BASELINE/T01/PT"][1]
    expected = "lesions.csv: line 4: subject NPC-0003: no image of this subject has come, found NPC-0001, NPC-0002"
    assert reasons["NPC-0003/lesions"][1] == expected


def test_two_prompts_for_one_lesion_on_one_modality_are_refused_with_file_and_lines(study):
    line = f'{SUBJECT},BASELINE,T01,CT,point,"1,1,1"'
    prompt_table(study, line, line.replace("CT", "MR"))
    assert len(read_prompts(study)) == 2
    prompt_table(study, line, line.replace("CT", "MR"), line.replace("1,1,1", "2,2,2"))
    with pytest.raises(TableError, match=r"line 4: prompts\.csv: prompt NPC-0001 BASELINE T01 CT .* on line 2"):
        read_prompts(study)
