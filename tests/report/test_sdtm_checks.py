"""Every planted defect is found by its check, and a clean export has none."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.report.sdtm import Tabulation, tabulate
from npcpit_imaging.report.sdtm_checks import CHECKS, run_checks
from npcpit_imaging.report.sdtm_records import BestRecord, Evaluator, SubjectRead, SumRecord, TimepointRecord
from npcpit_imaging.report.sdtm_rows import Row
from npcpit_imaging.report.sdtm_spec import Variable
from npcpit_imaging.study.assessment import Assessment
from npcpit_imaging.study.lesion import LesionRole, LesionState
from npcpit_imaging.study.response import NewLesion, Response

DAYS = {"BASELINE": date(2026, 1, 5), "FU1": date(2026, 2, 23), "FU2": date(2026, 4, 6)}


def _seen(
    timepoint: str, lesion: str, state: LesionState, *, size: int | None = None, nodal: bool = False
) -> Assessment:
    return Assessment(
        subject="S1",
        timepoint=timepoint,
        date=DAYS[timepoint],
        reader="",
        lesion=lesion,
        role=LesionRole.TARGET if lesion.startswith("T") else LesionRole.NON_TARGET,
        state=state,
        organ="neck" if nodal else "nasopharynx",
        nodal=nodal,
        longest_diameter=None if nodal else size,
        short_axis=size if nodal else None,
        method="CT",
    )


def _answered(timepoint: str, target: Response, overall: Response) -> TimepointRecord:
    return TimepointRecord(
        timepoint=timepoint,
        date=DAYS[timepoint],
        target=target,
        non_target=Response.NON_CR_NON_PD,
        new=NewLesion.NO,
        overall=overall,
        immune=None,
        target_rule="why",
        non_target_rule="why",
        rule="why",
        immune_rule="",
        excluded="",
        too_early=False,
        retro_dated_by="",
    )


def _sum(timepoint: str, total: int | None, nadir: int | None, assessed: int = 2) -> SumRecord:
    return SumRecord(timepoint=timepoint, date=DAYS[timepoint], total=total, nadir=nadir, expected=2, assessed=assessed)


@pytest.fixture
def clean() -> Tabulation:
    """One subject by hand: 30.0 + 20.0; then too small (5) + 12.0; then one target not assessed."""
    measured, present = LesionState.MEASURED, LesionState.PRESENT
    read = SubjectRead(
        subject="S1",
        evaluator=Evaluator(role="INVESTIGATOR"),
        baseline="BASELINE",
        reference_start=date(2026, 1, 12),
        assessments=(
            _seen("BASELINE", "T01", measured, size=300),
            _seen("BASELINE", "T02", measured, size=200, nodal=True),
            _seen("BASELINE", "N01", present),
            _seen("FU1", "T01", LesionState.TOO_SMALL),
            _seen("FU1", "T02", measured, size=120, nodal=True),
            _seen("FU1", "N01", present),
            _seen("FU2", "T01", LesionState.NOT_ASSESSED),
            _seen("FU2", "T02", measured, size=90, nodal=True),
            _seen("FU2", "N01", present),
        ),
        sums=(_sum("BASELINE", 500, None), _sum("FU1", 170, 500), _sum("FU2", None, 170, assessed=1)),
        timepoints=(_answered("FU1", Response.PR, Response.PR), _answered("FU2", Response.NE, Response.NE)),
        bests=(BestRecord(response=Response.PR, confirmed=False, date=DAYS["FU1"], rule="why"),),
    )
    return tabulate([read], study_id="TRIAL", protocol=Protocol())


def planted(tabulation: Tabulation, name: str, change: Callable[[list[dict[str, object]]], object]) -> Tabulation:
    """Give an export whose dataset was changed."""
    rows = [dict(row) for row in tabulation.datasets[name].rows]
    change(rows)
    dataset = replace(tabulation.datasets[name], rows=tuple(rows))
    return replace(tabulation, datasets={**tabulation.datasets, name: dataset})


def put(test: str = "", visit: str = "", **values: object) -> Callable[[list[dict[str, object]]], object]:
    """Change the first row of a test and visit; without them, the first row."""

    def change(rows: list[dict[str, object]]) -> None:
        for row in rows:
            tests = [value for name, value in row.items() if name.endswith("TESTCD")]
            if (not test or test in tests) and (not visit or row["VISIT"] == visit):
                row.update(values)
                return
        raise AssertionError(f"no row of {test} at {visit}")

    return change


def twice(rows: list[dict[str, object]]) -> None:
    """Say the first row again, with a sequence number of its own."""
    rows.append({**rows[0], "TRSEQ": 999})


DEFECTS = [
    ("NP-02", "TR", put(TRCOLOR="RED")),
    ("NP-03", "TR", put(TRLOC="NASOPHARYNX")),
    ("NP-04", "TR", put(TRTESTCD="")),
    ("NP-04", "SUPPTU", put(QVAL="")),
    ("NP-05", "TU", put(TUORRES="x" * 201)),
    ("NP-06", "TU", put(TUORRES="läsion")),
    ("NP-07", "TR", put("LDIAM", TRTEST="Diameter")),
    ("NP-07", "RS", put("OVRLRESP", RSTESTCD="OVERALLRESP")),
    ("NP-08", "TR", twice),
    ("NP-09", "TR", put("LPERP", TRSEQ=1)),
    ("NP-10", "TR", put(DOMAIN="TU")),
    ("NP-10", "RS", put(STUDYID="OTHER")),
    ("NP-11", "TR", put(TRLOBXFL="YES")),
    ("NP-11", "TR", put("LDIAM", "FU2", TRSTAT="MISSED")),
    ("NP-12", "TU", put(TULOC="NOSE THROAT")),
    ("NP-12", "TR", put(TRMETHOD="CAT SCAN")),
    ("NP-13", "RS", put("OVRLRESP", RSSTRESC="PARTIAL")),
    ("NP-13", "TR", put("TUMSTATE", TRSTRESC="THERE")),
    ("NP-13", "RS", put("NEWLIND", RSSTRESC="NO")),
    ("NP-14", "TR", put(TRDTC="05JAN2026")),
    ("NP-14", "TU", put(TUDTC="2026-02-30")),
    ("NP-14", "RS", put("OVRLRESP", RSDTC="")),
    ("NP-15", "TR", put(TRDY=0)),
    ("NP-16", "TR", put("LDIAM", "FU1", VISITNUM=7)),
    ("NP-17", "TR", put("LDIAM", "FU2", TRDTC="2026-01-06", TRDY=-6)),
    ("NP-18", "TR", put("LDIAM", TRLNKID="INVESTIGATOR-T09")),
    ("NP-19", "TU", put(TULNKID="INVESTIGATOR-T09")),
    ("NP-20", "RS", put("OVRLRESP", RSLNKID="INVESTIGATOR-T09")),
    ("NP-21", "RS", put("OVRLRESP", RSLNKGRP="INVESTIGATOR-A9")),
    ("NP-22", "TR", put("LDIAM", TRLNKID="")),
    ("NP-23", "RS", put("OVRLRESP", "FU2", RSSTAT="NOT DONE", RSREASND="not evaluable")),
    ("NP-23", "TR", put("LDIAM", "FU2", TRSTRESN=5.0)),
    ("NP-24", "TR", put("LDIAM", "FU1", TRORRES="", TRSTRESC="")),
    ("NP-24", "TU", put(TUSTRESC="")),
    ("NP-25", "TR", put("LDIAM", "FU2", TRREASND="")),
    ("NP-25", "TR", put("LDIAM", "FU1", TRREASND="small")),
    ("NP-26", "TR", put("LPERP", TRSTRESU="")),
    ("NP-26", "TR", put("LPERP", TRSTRESC="21")),
    ("NP-26", "TR", put("LPERP", TRSTRESN=None, TRSTRESU="")),
    ("NP-27", "TR", put("LPERP", TRORRES="2.0")),
    ("NP-28", "TR", put("LPERP", TRORRES="-20", TRSTRESC="-20", TRSTRESN=-20.0)),
    ("NP-29", "TR", put("LDIAM", "FU1", TRSTRESC="0", TRSTRESN=0.0)),
    ("NP-30", "TR", put("LPERP", "FU1", TRLOBXFL="Y")),
    ("NP-31", "TR", put("LPERP", "FU1", TRLOBXFL="Y")),
    ("NP-32", "TR", put("LDIAM", "BASELINE", TRLOBXFL="")),
    ("NP-33", "TU", lambda rows: rows.append({**rows[0], "TULOC": "LIVER", "TUSEQ": 99, "TUEVAL": "READER"})),
    ("NP-34", "TU", put(TULOC="")),
    ("NP-35", "TR", put("LDIAM", TRGRPID="NON-TARGET")),
    ("NP-36", "TR", put(TREVAL="")),
    ("NP-37", "TR", put("SUMDIAM", "FU1", TRORRES="17.5", TRSTRESC="17.5", TRSTRESN=17.5)),
    ("NP-37", "TR", put("LDIAM", "FU1", TRORRES="", TRSTRESC="", TRSTRESN=None, TRSTRESU="", TRSTAT="NOT DONE")),
    ("NP-38", "RS", put("TRGRESP", "FU1", RSSTRESC="PD")),
    ("NP-38", "RS", put("OVRLRESP", "FU1", RSSTRESC="PD")),
    ("NP-39", "SUPPTU", put(IDVARVAL="77")),
    ("NP-39", "SUPPRS", put(IDVAR="RSGRPID")),
    ("NP-40", "RELREC", put(IDVAR="TUREFID")),
    ("NP-40", "RELREC", lambda rows: rows.pop()),
]


def test_a_clean_export_has_no_hit(clean: Tabulation) -> None:
    assert [(result.id, result.hits) for result in run_checks(clean) if result.hits] == []


@pytest.mark.parametrize(("check", "dataset", "change"), DEFECTS, ids=[f"{d[0]}-{i}" for i, d in enumerate(DEFECTS)])
def test_a_planted_defect_is_found_where_it_is(
    clean: Tabulation, check: str, dataset: str, change: Callable[[list[dict[str, object]]], object]
) -> None:
    results = {result.id: result for result in run_checks(planted(clean, dataset, change))}
    where = "TU" if check == "NP-32" else dataset  # a lesion without baseline is named where it is identified
    assert where in {hit.dataset for hit in results[check].hits}


def test_disease_that_comes_back_after_an_overall_cr_is_pd_by_itself(clean: Tabulation) -> None:
    def come_back(rows: list[dict[str, object]]) -> None:
        put("OVRLRESP", "FU1", RSSTRESC="CR")(rows)
        put("OVRLRESP", "FU2", RSSTRESC="PD")(rows)

    results = {result.id: result for result in run_checks(planted(clean, "RS", come_back))}
    assert results["NP-38"].hits == ()


def test_a_name_or_label_that_does_not_fit_is_found(clean: Tabulation) -> None:
    tr = clean.datasets["TR"]
    last = tr.spec.variables[-1]
    for wrong in (replace(last, name="TRSTUDYDAY"), replace(last, label="x" * 41)):
        spec = replace(tr.spec, variables=(*tr.spec.variables[:-1], wrong))
        rows: tuple[Row, ...] = tuple({**row, wrong.name: 1} for row in tr.rows)
        changed = replace(clean, datasets={**clean.datasets, "TR": replace(tr, spec=spec, rows=rows)})
        results = {result.id: result for result in run_checks(changed)}
        assert results["NP-01"].hits


def test_every_check_has_a_planted_defect() -> None:
    assert {check.id for check in CHECKS} == {check for check, _, _ in DEFECTS} | {"NP-01"}


def test_checks_have_ids_texts_and_severities_of_their_own() -> None:
    assert len({check.id for check in CHECKS}) == len({check.text for check in CHECKS}) == len(CHECKS) == 40


def test_columns_follow_the_guide_and_leave_empty_permissible_ones_out(clean: Tabulation) -> None:
    names = [variable.name for variable in clean.datasets["TR"].columns]
    planned = [variable.name for variable in clean.datasets["TR"].spec.variables]
    assert names == [name for name in planned if name not in ("TREVALID", "TRACPTFL")]
    assert isinstance(clean.datasets["TR"].columns[0], Variable)
