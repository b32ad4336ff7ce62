"""Pseudonyms: the same everywhere with one key, unlike with another; dates, ages and words by hand."""

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID

from npcpit_imaging.dicom.deidentify import (
    DeidentifyPlan,
    clean_text,
    mint_subject_code,
    new_uid,
    read_subject_codes,
    shift_day,
    shift_moment,
    subject_shift_days,
)
from npcpit_imaging.dicom.deidentify.dates import check_tm, clip_age, shift_da, shift_dt
from npcpit_imaging.errors import InputError, TableError

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))


def test_another_process_makes_the_same_pseudonyms() -> None:
    """Nothing depends on this process: not its hash seed, not its clock."""
    program = (
        "from npcpit_imaging.dicom.deidentify import *; k = bytes(range(32));"
        "print(new_uid(k, '1.2.3.4'), subject_shift_days(k, 'S-1'), mint_subject_code(k, '00123'))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    here = (new_uid(KEY, "1.2.3.4"), str(subject_shift_days(KEY, "S-1")), mint_subject_code(KEY, "00123"))
    assert tuple(done.stdout.split()) == here


def test_two_keys_give_different_pseudonyms() -> None:
    assert new_uid(KEY, "1.2.3.4") != new_uid(OTHER_KEY, "1.2.3.4")
    assert mint_subject_code(KEY, "00123") != mint_subject_code(OTHER_KEY, "00123")
    shifts = [[subject_shift_days(key, f"S-{n}") for n in range(20)] for key in (KEY, OTHER_KEY)]
    assert shifts[0] != shifts[1]


@given(st.from_regex(r"[1-9](\.(0|[1-9][0-9]{0,8})){3,6}", fullmatch=True))
def test_a_new_uid_is_a_version_8_uuid_under_2_25(original: str) -> None:
    replaced = UID(new_uid(KEY, original))
    number = int(replaced.removeprefix("2.25."))
    assert replaced.is_valid
    assert len(replaced) <= 44
    assert number >> 76 & 0xF == 8
    assert number >> 62 & 0x3 == 2


@pytest.mark.parametrize("uid", ["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2"])
def test_uids_of_the_standard_stay(uid: str) -> None:
    assert new_uid(KEY, uid) == uid


def test_shifts_are_whole_days_back_within_a_year_and_spread() -> None:
    shifts = [subject_shift_days(KEY, f"S-{number}") for number in range(2000)]
    assert min(shifts) >= -365
    assert max(shifts) <= -1
    assert len(set(shifts)) > 350


def test_a_short_key_is_refused_and_a_key_is_never_shown() -> None:
    with pytest.raises(InputError, match="at least 16 bytes, found 3"):
        DeidentifyPlan(key=b"abc")
    assert "secret" not in repr(DeidentifyPlan(key=b"a very secret secret"))


def test_padding_does_not_make_another_subject_but_zeros_do() -> None:
    assert mint_subject_code(KEY, "0012 ") == mint_subject_code(KEY, "0012\0")
    assert mint_subject_code(KEY, "0012") != mint_subject_code(KEY, "12")
    assert mint_subject_code(KEY, "0012", issuer="A") != mint_subject_code(KEY, "0012", issuer="B")
    with pytest.raises(InputError, match="share one code"):
        mint_subject_code(KEY, " ")


def test_a_table_of_subject_codes_may_join_two_hospital_numbers(tmp_path: Path) -> None:
    table = tmp_path / "codes.csv"
    table.write_text("patient_id,subject\n001,NPC-01\nA-77,NPC-01\n002,NPC-02\n", encoding="utf-8")
    codes = read_subject_codes(table)
    assert codes.subject_of("A-77 ") == codes.subject_of("001") == "NPC-01"
    assert "A-77" not in repr(codes)
    with pytest.raises(InputError, match="no row"):
        codes.subject_of("003")


@pytest.mark.parametrize(
    ("text", "line"),
    [("patient_id,subject\n1,A\n1,B\n", 3), ("patient_id,subject\n,A\n", 2), ("patient_id,subject\n1,A B\n", 2)],
)
def test_a_doubtful_row_is_named_by_its_line_only(tmp_path: Path, text: str, line: int) -> None:
    table = tmp_path / "codes.csv"
    table.write_text(text, encoding="utf-8")
    with pytest.raises(TableError) as caught:
        read_subject_codes(table)
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("value", "days", "moved"),
    [
        ("20240301", -1, "20240229"), ("20230301", -1, "20230228"), ("20240101", -365, "20230101"),
        ("2004.01.19", -19, "20031231"), ("19700101", -1, "19691231"),
    ],
)  # fmt: skip
def test_dates_move_over_months_leap_days_and_the_epoch(value: str, days: int, moved: str) -> None:
    assert shift_da(value, days) == moved


@pytest.mark.parametrize(
    ("value", "moved"),
    [
        ("20240301093015.250000+0900", "20240229093015.250000+0900"), ("202403010930", "202402290930"),
        ("20240301", "20240229"), ("202403", "202402"), ("2024", "2023"),
    ],
)  # fmt: skip
def test_datetimes_keep_time_fraction_offset_and_precision(value: str, moved: str) -> None:
    assert shift_dt(value, -1) == moved


@pytest.mark.parametrize("value", ["20241301", "yesterday", "2024-01-01", "20240101-20240201", "2024010", "00010101"])
def test_what_is_no_date_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"not a date|calendar|month|day"):
        shift_da(value, -1)


@pytest.mark.parametrize("value", ["10", "1030", "103015", "103015.123456", "10:30:15"])
def test_times_stay_as_written(value: str) -> None:
    assert check_tm(value) == value


@pytest.mark.parametrize(
    ("age", "clipped"),
    [("089Y", "089Y"), ("090Y", "090Y"), ("094Y", "090Y"), ("045Y", "045Y"), ("006M", "006M"), ("021D", "021D")],
)
def test_ages_over_89_are_one_group(age: str, clipped: str) -> None:
    assert clip_age(age) == clipped


def test_the_tables_dates_move_as_the_images_do() -> None:
    """One rule for every date that enters the store."""
    assert shift_day(date(2024, 3, 1), -1).strftime("%Y%m%d") == shift_da("20240301", -1)
    moment = datetime(2024, 3, 1, 23, 59, 59, tzinfo=UTC)
    assert shift_moment(moment, -1) == datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)
    with pytest.raises(InputError, match="calendar"):
        shift_day(date(1, 1, 1), -1)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("AX T1 FS +C 3.0mm", "AX T1 FS +C 3.0mm"), ("GTV_Mass_PET", "GTV_Mass_PET"),
        ("T2_FLAIR_TRA Sato", "T2 FLAIR TRA"),
        ("CT NECK W/ CONTRAST Dr. Yamada", "CT NECK W CONTRAST"), ("YAMADA^TARO", ""), ("山田^太郎", ""),
        ("03-1234-5678", ""), ("2024-01-31", ""), ("20240131 MR", "MR"), ("ID 0012345 head", "head"),
        ("lesion T01 target", "lesion T01 target"), ("DWI b1000", "DWI b1000"), ("room b1234", ""),
        ("\x1b$B;3ED\x1b(B MR", ""), ("", ""),
    ],
)  # fmt: skip
def test_descriptions_keep_words_that_name_nobody(text: str, cleaned: str) -> None:
    assert clean_text(text) == cleaned


@given(st.text(alphabet=st.characters(codec="latin-1"), max_size=60))
def test_cleaning_only_ever_takes_words_away(text: str) -> None:
    once = clean_text(text)
    assert once.isascii()
    assert set(clean_text(once).split()) <= set(once.split())
