"""The audit trail: written with the change, refused updates, and a tampered row found by npcpit audit verify."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from npcpit_imaging import cli
from npcpit_imaging.errors import StoreError
from npcpit_imaging.store.audit import audit_events
from tests.server.conftest import SUBJECT, Person, Served, read_and_sign

Enter = Callable[[str], Person]


def test_what_a_reader_does_stands_in_the_trail_in_order_without_a_name(served: Served, enter: Enter):
    reader = enter("reader1")
    read_and_sign(reader, "BASELINE", served.series["BASELINE"], prompted=True)
    auditor = enter("auditor")
    events = auditor.get("/api/audit", params={"subject": SUBJECT}).json()["events"]
    actions = [each["action"] for each in events if each["actor"] == "reader1"]
    assert actions == ["read.begin", "read.change", "read.change", "read.change", "read.sign"]
    signed = events[-1]["detail"]
    assert signed["lesions"][1]["longest_diameter_mm"] == 24.0 or signed["lesions"][0]["longest_diameter_mm"] == 24.0
    assert auditor.get("/api/audit/verify").json()["whole"] is True
    assert auditor.get("/api/audit", params={"limit": 100000}).status_code == 422


APPEND_ONLY = {
    "audit": "actor",
    "draft_step": "says",
    "draft_mask": "digest",
    "signature": "meaning",
    "key_image": "rowid",
    "read": "rowid",
    "assessment": "rowid",
}
"""What was done, with a column that an UPDATE names."""


def test_the_database_refuses_to_change_or_delete_what_was_done(served: Served, enter: Enter):
    read_and_sign(enter("reader1"), "BASELINE", served.series["BASELINE"], prompted=True)
    for table, column in APPEND_ONLY.items():
        with served.study.database.session() as session:
            rows = session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()  # our own names
        assert rows > 0, f"{table}: a signed read has rows here"
        for statement in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"):
            with pytest.raises(StoreError, match="append-only"), served.study.database.session() as session:
                session.execute(text(statement))


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        ("UPDATE audit SET detail = '{}' WHERE sequence = 5", "row 5: its content was changed"),
        ("DELETE FROM audit WHERE sequence = 5", "row 6: expected row 5, rows between were taken out"),
        ("DELETE FROM audit WHERE sequence = (SELECT max(sequence) FROM audit)", "rows were taken off"),
        ("UPDATE audit SET previous = digest WHERE sequence = 5", "row 5: does not stand on the row before it"),
    ],
)
def test_a_tampered_row_is_found(folder: Path, capsys: pytest.CaptureFixture[str], tamper: str, found: str):
    """Somebody with the database file takes the triggers away and rewrites history."""
    assert cli.run(["audit", "verify", str(folder)]) == 0
    assert "whole; last digest" in capsys.readouterr().out
    database = sqlite3.connect(folder / "npcpit.sqlite")
    for trigger in ("audit_no_update", "audit_no_delete"):
        database.execute(f"DROP TRIGGER {trigger}")
    database.execute(tamper)
    database.commit()
    database.close()
    assert cli.run(["audit", "verify", str(folder), "--json"]) == 1
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["whole"] is False
    assert any(found in fault for fault in verdict["faults"]), verdict


def test_a_refused_change_leaves_no_row(served: Served, enter: Enter):
    reader = enter("reader1")
    reader.read("BASELINE")
    with served.study.database.session() as session:
        before = len(audit_events(session, limit=1000))
    assert reader.try_change("BASELINE", kind="state", lesion="T99", state="absent").status_code == 422
    with served.study.database.session() as session:
        assert len(audit_events(session, limit=1000)) == before
