"""Every term the export may write stands in CDISC's package of 2025-03-25."""

import csv
from pathlib import Path

import pytest

from npcpit_imaging.report.sdtm_spec import LONGEST_LABEL, LONGEST_NAME, SPECS
from npcpit_imaging.report.sdtm_terms import (
    CLOSED,
    RS_EXTENSIONS,
    RS_TESTS,
    TERMINOLOGY_DATE,
    TERMS,
    TR_TESTS,
    TU_TESTS,
    Codelist,
    location,
    method,
)


@pytest.fixture(scope="module")
def package(shared_data: Path) -> list[dict[str, str]]:
    """The rows of CDISC's terminology."""
    path = shared_data / "recist" / f"sdtm_ct_onco_subset_{TERMINOLOGY_DATE}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("codelist", list(Codelist))
def test_every_term_is_cdiscs(package: list[dict[str, str]], codelist: Codelist) -> None:
    published = {row["term"] for row in package if row["clst_code"] == codelist.value and row["is_clst"] == "FALSE"}
    assert TERMS[codelist] <= published


def test_closed_codelists_are_those_cdisc_closed(package: list[dict[str, str]]) -> None:
    heads = {row["clst_code"]: row["ext"] for row in package if row["is_clst"] == "TRUE"}
    assert {codelist for codelist in Codelist if heads[codelist.value] == "FALSE"} == CLOSED


@pytest.mark.parametrize(
    ("codes", "names", "tests"),
    [
        (Codelist.TUTESTCD, Codelist.TUTEST, TU_TESTS),
        (Codelist.TRTESTCD, Codelist.TRTEST, TR_TESTS),
        (Codelist.RSTESTCD, Codelist.RSTEST, RS_TESTS),
    ],
)
def test_code_and_name_of_a_test_are_one_concept(
    package: list[dict[str, str]], codes: Codelist, names: Codelist, tests: dict[str, str]
) -> None:
    """CDISC gives a test's code and its name the same NCI code."""
    by_term = {(row["clst_code"], row["term"]): row["code"] for row in package}
    for code, name in tests.items():
        assert by_term[codes.value, code] == by_term[names.value, name], code


def test_our_own_tests_do_not_shadow_cdiscs(package: list[dict[str, str]]) -> None:
    published = {row["term"] for row in package if row["clst_code"] in {Codelist.RSTESTCD, Codelist.RSTEST}}
    assert not published & {*RS_EXTENSIONS, *RS_EXTENSIONS.values()}


def test_names_and_labels_fit_a_transport_file() -> None:
    for spec in SPECS.values():
        for variable in spec.variables:
            assert len(variable.name) <= LONGEST_NAME
            assert len(variable.label) <= LONGEST_LABEL


@pytest.mark.parametrize(
    ("words", "nodal", "expected"),
    [
        ("nasopharynx", False, ("NASOPHARYNX", "")),
        ("Skull base", False, ("SKULL, BASE", "")),
        ("left neck", True, ("CERVICAL LYMPH NODE", "LEFT")),
        ("neck right", False, ("NECK", "RIGHT")),
        ("left level II nodes", True, ("CERVICAL LYMPH NODE LEVEL II", "LEFT")),
        ("retropharyngeal node", True, ("RETROPHARYNGEAL LYMPH NODE", "")),
        ("somewhere", False, ("SOMEWHERE", "")),
        ("", False, ("", "")),
    ],
)
def test_location(words: str, nodal: bool, expected: tuple[str, str]) -> None:
    assert location(words, nodal=nodal) == expected


def test_method_of_a_modality() -> None:
    assert [method(word) for word in ("CT", "mr", "PET-CT", "CONTRAST ENHANCED MRI", "")] == [
        "CT SCAN",
        "MRI",
        "PET/CT SCAN",
        "CONTRAST ENHANCED MRI",
        "",
    ]
