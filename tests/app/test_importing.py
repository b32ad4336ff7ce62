"""An import that leaves something undone says so: to a person, to a program and by its verdict."""

import json

from npcpit_imaging.store.images import timepoints
from npcpit_imaging.store.lesions import put_lesion
from npcpit_imaging.store.reads import ConfirmedLesion, sign_read
from npcpit_imaging.study.lesion import Lesion, LesionRole, LesionState

SUBJECT = "NPC-0001"


def test_a_series_that_would_move_a_signed_visit_makes_the_import_incomplete(study, arrive, write_series):
    """A series of January comes after the visit of March was signed as the baseline."""
    assert arrive(write_series("20240301", "1")).complete
    lesion = Lesion(lesion_id="T01", tracking_uid="2.25.7", role=LesionRole.TARGET, organ="X", location="X")
    with study.database.session() as session:
        before = timepoints(session, SUBJECT)
        put_lesion(session, SUBJECT, lesion)
        absent = ConfirmedLesion(lesion=lesion, state=LesionState.ABSENT)
        sign_read(session, subject=SUBJECT, timepoint="BASELINE", reader="R1", lesions=[absent], now=study.now())
    report = arrive(write_series("20240105", "2"))
    shown = json.loads(json.dumps(report.as_json(), default=str))
    assert not report.complete
    assert [fault["subject"] for fault in shown["faults"]] == [SUBJECT]
    assert "would move the signed time point BASELINE" in shown["faults"][0]["text"]
    assert SUBJECT not in shown["timepoints"]
    with study.database.session() as session:
        assert timepoints(session, SUBJECT) == before
