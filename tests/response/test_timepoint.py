"""Tables 1 and 2 of Eisenhauer 2009."""

import csv

import pytest

from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.response.timepoint import TABLE_1, TABLE_2, overall_response
from npcpit_imaging.study.response import NewLesion, Response


def test_tables_1_and_2(shared_data):
    """Every cell of both tables, as expanded by the shared data."""
    with (shared_data / "recist" / "eisenhauer_table1_2_timepoint.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 58
    for row in rows:
        cell = Response(row["target"]), Response(row["nontarget"]), NewLesion(row["new_lesion"])
        overall, clause = overall_response(*cell, protocol=Protocol())
        assert overall == row["expected"], row
        assert clause.endswith(f"table {row['table']}"), row


def test_no_two_lines_of_a_table_disagree():
    """Where two lines of the tables cover one cell they give the same answer, so their order does not matter."""
    answers = {}
    for table in (TABLE_1, TABLE_2):
        for targets, non_targets, news, overall in table:
            for cell in ((t, n, new) for t in targets for n in non_targets for new in news):
                assert answers.setdefault(cell, overall) == overall, cell


def test_cr_with_non_targets_not_evaluated_may_be_ne():
    """The paper says PR; a protocol may say NE, but a new lesion is PD all the same."""
    strict = Protocol(nt_ne_with_t_cr="NE")
    assert overall_response(Response.CR, Response.NE, NewLesion.NO, protocol=Protocol())[0] == "PR"
    assert overall_response(Response.CR, Response.NE, NewLesion.NO, protocol=strict)[0] == "NE"
    assert overall_response(Response.CR, Response.NE, NewLesion.YES, protocol=strict)[0] == "PD"


def test_no_disease_at_baseline():
    """Without any lesion at baseline the answer is NED, and PD with a new lesion."""
    assert overall_response(Response.NA, Response.NA, NewLesion.NO, protocol=Protocol())[0] == "NED"
    assert overall_response(Response.NA, Response.NA, NewLesion.YES, protocol=Protocol())[0] == "PD"


@pytest.mark.parametrize("target", [Response.CR, Response.PR, Response.SD, Response.NE])
def test_an_equivocal_new_lesion_changes_nothing_yet(target):
    """EQUIVOCAL reads like no new lesion."""
    plain = overall_response(target, Response.NON_CR_NON_PD, NewLesion.NO, protocol=Protocol())
    assert overall_response(target, Response.NON_CR_NON_PD, NewLesion.EQUIVOCAL, protocol=Protocol()) == plain
