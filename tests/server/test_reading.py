"""A reader's whole way through a visit: prompt, mask, caliper, states, undo, sum, checks, signature, new version."""

import base64
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sqlalchemy import select

from npcpit_imaging.store.reading_schema import DraftStepRow, SignatureRow
from npcpit_imaging.store.reads import newest_reads
from tests.server.conftest import SHAPE, SUBJECT, Person, Served, line_mm, person, read_and_sign, serving

Enter = Callable[[str], Person]


def test_a_line_becomes_a_mask_of_about_the_ball_and_a_caliper(served: Served, enter: Enter):
    reader = enter("reader1")
    prompt = {"kind": "line", "points_mm": line_mm("BASELINE")}
    answer = reader.change(
        "BASELINE", kind="prompt", lesion="T01", series_uid=served.series["BASELINE"], prompts=[prompt]
    )
    entry = next(each for each in answer["read"]["lesions"] if each["lesion"] == "T01")
    assert entry["status"] == "proposal"
    assert entry["caliper"]["length_mm"] == 24.0
    assert abs(entry["mask"]["measurement"]["longest_diameter_mm"] - 24.0) <= 2.0
    mask = answer["mask"]
    bits = np.unpackbits(np.frombuffer(base64.b64decode(mask["bits"]), np.uint8), bitorder="little")
    box = bits[: int(np.prod(mask["size_kji"]))].reshape(mask["size_kji"]).astype(bool)
    voxels = np.zeros(SHAPE, bool)
    voxels[tuple(slice(s, s + n) for s, n in zip(mask["start_kji"], mask["size_kji"], strict=True))] = box
    assert mask["shape_kji"] == list(SHAPE)
    assert voxels[6, 32, 32], "the middle of the ball"
    assert not voxels[6, 32, 50], "beside it"
    assert reader.get(f"/api/masks/{mask['digest']}").json() == mask


def test_voxels_travel_as_the_images_hold_them(served: Served, enter: Enter):
    reader = enter("reader1")
    uid = served.series["BASELINE"]
    shown = reader.get(f"/api/series/{uid}").json()
    assert (shown["shape_kji"], shown["dtype"], shown["unit"]) == (list(SHAPE), "int16", "HU")
    assert np.allclose(shown["affine"], [[1, 0, 0, -31.5], [0, 1, 0, -31.5], [0, 0, 2.5, 0], [0, 0, 0, 1]])
    part = reader.get(f"/api/series/{uid}/voxels", params={"first": 5, "count": 2})
    values = np.frombuffer(part.content, "<i2").reshape(2, *SHAPE[1:])
    assert abs(int(values[1, 32, 32]) - 120) < 25
    assert abs(int(values[1, 5, 5]) - 40) < 25
    assert (part.headers["X-First"], part.headers["X-Count"]) == ("5", "2")
    assert len(shown["slices"]) == SHAPE[0]
    assert shown["slices"][3]["position_mm"] == [-31.5, -31.5, 7.5]
    assert reader.get(f"/api/series/{uid}/voxels", params={"first": 99}).status_code == 400


def test_brush_caliper_and_state_are_undone_and_done_again_one_step_each(served: Served, enter: Enter):
    reader, uid = enter("reader1"), served.series["BASELINE"]
    stroke = {"points_mm": [[0.5, 0.5, 15.0], [4.5, 0.5, 15.0]], "radius_mm": 3.0}
    reader.change("BASELINE", kind="edit_mask", lesion="T01", series_uid=uid, operation="brush", **stroke)
    brushed = reader.entry("BASELINE", "T01")["mask"]["digest"]
    reader.change("BASELINE", kind="caliper", lesion="T01", series_uid=uid, axis="long", line_mm=line_mm("BASELINE"))
    reader.change("BASELINE", kind="state", lesion="NT01", state="present")
    says = []
    for _ in range(3):
        read = reader.read("BASELINE")
        says.append(read["undo_says"])
        answer = reader.post(f"/api/reads/{SUBJECT}/BASELINE/undo", json={"revision": read["revision"]})
        assert answer.status_code == 200
    assert says == ["present NT01", "caliper T01", "brush T01"]
    assert reader.entry("BASELINE", "T01")["mask"] is None
    assert not reader.read("BASELINE")["can_undo"]
    for _ in range(2):
        revision = reader.read("BASELINE")["revision"]
        reader.post(f"/api/reads/{SUBJECT}/BASELINE/redo", json={"revision": revision})
    entry = reader.entry("BASELINE", "T01")
    assert (entry["mask"]["digest"], entry["caliper"]["length_mm"]) == (brushed, 24.0)
    assert reader.entry("BASELINE", "NT01")["status"] == "todo"


def test_an_unconfirmed_target_makes_the_sum_incomplete_and_forbids_signing(served: Served, enter: Enter):
    reader, uid = enter("reader1"), served.series["BASELINE"]
    reader.change("BASELINE", kind="state", lesion="NT01", state="present")
    read = reader.read("BASELINE")
    assert read["answer"]["sum_complete"] is False
    assert read["answer"]["sum_mm"] is None
    assert read["answer"]["missing"] == ["T01"]
    assert [each["lesion"] for each in read["checks"] if each["blocks"]] == ["T01"]
    refused = reader.sign("BASELINE")
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "refused")
    assert refused.json()["error"]["detail"]["checks"][0].startswith("T01: not assessed yet")
    reader.change("BASELINE", kind="caliper", lesion="T01", series_uid=uid, axis="long", line_mm=line_mm("BASELINE"))
    reader.change("BASELINE", kind="confirm", lesion="T01", accept="caliper")
    answer = reader.read("BASELINE")["answer"]
    assert (answer["sum_mm"], answer["sum_complete"]) == (24.0, True)


def test_two_visits_signed_give_the_response_of_recist_and_the_rule(served: Served, enter: Enter):
    """24 mm to 16 mm is -33.3 %: PR; the non-target persists; nothing new."""
    reader = enter("reader1")
    read_and_sign(reader, "BASELINE", served.series["BASELINE"])
    uid = served.series["FU1"]
    before = reader.entry("FU1", "T01")
    assert [each["size_mm"] for each in before["earlier"]] == [24.0]
    reader.change("FU1", kind="caliper", lesion="T01", series_uid=uid, axis="long", line_mm=line_mm("FU1"))
    pending = reader.read("FU1")["answer"]
    assert (pending["overall"], pending["sum_complete"]) in ((None, False), ("NE", False))
    reader.change("FU1", kind="confirm", lesion="T01", accept="caliper")
    reader.change("FU1", kind="state", lesion="NT01", state="present")
    answer = reader.read("FU1")["answer"]
    found = (answer["sum_mm"], answer["change_percent"], answer["target"], answer["non_target"], answer["overall"])
    assert found == (16.0, -33.3, "PR", "NON-CR/NON-PD", "PR")
    assert "PR" in answer["rule"]
    assert [(line["timepoint"], line["sum_mm"], line["draft"]) for line in answer["timeline"]] == [
        ("BASELINE", 24.0, False),
        ("FU1", 16.0, True),
    ]
    entry = reader.entry("FU1", "T01")
    assert entry["change"] == {"baseline_percent": -33.3, "nadir_percent": -33.3, "nadir_mm": -8.0}


def test_a_new_lesion_outside_the_field_is_pd_and_its_name_holds_the_reader_s_code(served: Served, enter: Enter):
    reader = enter("reader1")
    read_and_sign(reader, "BASELINE", served.series["BASELINE"])
    uid = served.series["FU1"]
    reader.change("FU1", kind="caliper", lesion="T01", series_uid=uid, axis="long", line_mm=line_mm("FU1"))
    reader.change("FU1", kind="confirm", lesion="T01", accept="caliper")
    reader.change("FU1", kind="state", lesion="NT01", state="present")
    place = {"organ": "LUNG", "location": "LUNG", "nodal": False}
    reader.change("FU1", kind="add_lesion", role="NEW", state="equivocal", **place)
    assert reader.read("FU1")["answer"]["overall"] == "PR", "an equivocal new lesion is no progression yet"
    reader.change("FU1", kind="state", lesion="N01-R1", state="unequivocal")
    reader.change("FU1", kind="annotate", lesion="N01-R1", field="out")
    answer = reader.read("FU1")["answer"]
    assert (answer["new"], answer["overall"], answer["new_out_field"]) == ("Y", "PD", ["N01-R1"])
    refused = reader.try_change("BASELINE", kind="add_lesion", role="NEW", **place)
    assert refused.status_code == 422, "the baseline is signed"


def test_signing_needs_the_password_locks_the_visit_and_keeps_what_it_meant(served: Served, enter: Enter):
    reader, uid = enter("reader1"), served.series["BASELINE"]
    reader.change("BASELINE", kind="caliper", lesion="T01", series_uid=uid, axis="long", line_mm=line_mm("BASELINE"))
    reader.change("BASELINE", kind="confirm", lesion="T01", accept="caliper")
    reader.change("BASELINE", kind="state", lesion="NT01", state="present")
    body = {"revision": reader.read("BASELINE")["revision"], "password": "wrong password!", "meaning": "read"}
    wrong = reader.post(f"/api/reads/{SUBJECT}/BASELINE/sign", json=body)
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "bad-password")
    assert reader.read("BASELINE")["status"] == "draft"
    signed = reader.sign("BASELINE").json()
    assert (signed["status"], signed["version"]) == ("signed", 1)
    refused = reader.try_change("BASELINE", kind="state", lesion="NT01", state="not_assessed")
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "refused")
    with served.study.database.session() as session:
        kept = session.scalars(select(SignatureRow)).one()
    assert (kept.username, kept.full_name, kept.meaning, kept.method) == ("reader1", "Dr reader1", "read", "password")
    assert "My signature locks it" in kept.statement
    pictures = reader.get(f"/api/reads/{SUBJECT}/BASELINE/key-images").json()
    assert [each["lesion"] for each in pictures] == ["T01"]
    assert "LD 24.0 mm" in pictures[0]["caption"]
    assert reader.get(pictures[0]["url"]).content.startswith(b"\x89PNG")


def test_a_signed_visit_is_read_again_only_as_a_new_version_with_a_reason(served: Served, enter: Enter):
    reader = enter("reader1")
    read_and_sign(reader, "BASELINE", served.series["BASELINE"])
    url = f"/api/reads/{SUBJECT}/BASELINE/unlock"
    assert reader.post(url, json={"reason": "   "}).status_code == 422
    draft = reader.post(url, json={"reason": "a second lesion was overlooked"}).json()
    assert (draft["status"], draft["version"], draft["reason"]) == ("draft", 1, "a second lesion was overlooked")
    assert reader.entry("BASELINE", "T01")["longest_diameter_mm"] == 24.0
    assert reader.post(url, json={"reason": "once more"}).status_code == 422
    assert reader.sign("BASELINE").json()["version"] == 2
    with served.study.database.session() as session:
        (newest,) = newest_reads(session, SUBJECT)
    assert (newest.version, newest.reason) == (2, "a second lesion was overlooked")


def test_an_accepted_mask_is_kept_with_the_read_as_that_reader_s_own(served: Served, enter: Enter):
    reader, uid = enter("reader1"), served.series["BASELINE"]
    prompt = {"kind": "line", "points_mm": line_mm("BASELINE")}
    reader.change("BASELINE", kind="prompt", lesion="T01", series_uid=uid, prompts=[prompt])
    reader.change("BASELINE", kind="confirm", lesion="T01", accept="proposal")
    reader.change("BASELINE", kind="state", lesion="NT01", state="present")
    size = reader.entry("BASELINE", "T01")["longest_diameter_mm"]
    assert reader.sign("BASELINE").status_code == 200
    earlier = reader.entry("FU1", "T01")["earlier"][0]
    assert earlier["longest_diameter_mm"] == size
    assert reader.get(f"/api/masks/{earlier['mask_digest']}").status_code == 200
    other = enter("reader2")
    assert other.get(f"/api/masks/{earlier['mask_digest']}").status_code == 404
    assert other.entry("BASELINE", "T01")["mask"] is None


def test_another_window_s_change_is_not_written_over(served: Served, enter: Enter):
    one, two = enter("reader1"), enter("reader1")
    revision = one.read("BASELINE")["revision"]
    change = {"kind": "state", "lesion": "NT01", "state": "present"}
    url = f"/api/reads/{SUBJECT}/BASELINE/changes"
    assert one.post(url, json={"revision": revision, "change": change}).status_code == 200
    late = two.post(url, json={"revision": revision, "change": {**change, "state": "not_assessed"}})
    assert (late.status_code, late.json()["error"]["code"]) == (409, "stale-revision")
    assert two.entry("BASELINE", "NT01")["state"] == "present"


def test_a_server_started_again_shows_the_draft_as_it_was(folder: Path):
    with serving(folder) as running, person(running, "reader1") as reader:
        uid = running.series["BASELINE"]
        reader.change("BASELINE", kind="caliper", lesion="T01", series_uid=uid, axis="long", line_mm=line_mm("FU1"))
        before = reader.read("BASELINE")
    with serving(folder) as running, person(running, "reader1") as reader:
        after = reader.read("BASELINE")
        assert after == before
        assert after["undo_says"] == "caliper T01"


def test_every_change_is_a_row_and_the_timer_counts_at_most_a_minute_a_tick(served: Served, enter: Enter):
    reader = enter("reader1")
    for state in ("present", "not_assessed", "present"):
        reader.change("BASELINE", kind="state", lesion="NT01", state=state)
    with served.study.database.session() as session:
        says = list(session.scalars(select(DraftStepRow.says).order_by(DraftStepRow.number)))
    assert says == ["present NT01", "not assessed NT01", "present NT01"]
    seconds = reader.post(f"/api/reads/{SUBJECT}/BASELINE/tick").json()["seconds"]
    assert 0 <= seconds <= 60


def test_refusals_say_what_was_expected(served: Served, enter: Enter):
    reader, uid = enter("reader1"), served.series["BASELINE"]
    outside = [{"kind": "point", "points_mm": [[500.0, 0.0, 15.0]]}]
    asks = {
        "expected a point in the image": {"kind": "prompt", "lesion": "T01", "series_uid": uid, "prompts": outside},
        "not in this read": {"kind": "state", "lesion": "T99", "state": "absent"},
        "expected one of": {"kind": "state", "lesion": "T01", "state": "unequivocal_pd"},
        "no mask to accept": {"kind": "confirm", "lesion": "T01", "accept": "proposal"},
        "expected a caliper": {"kind": "confirm", "lesion": "T01", "accept": "caliper"},
        "images, found another": {
            "kind": "caliper",
            "lesion": "T01",
            "series_uid": served.series["FU1"],
            "axis": "long",
            "line_mm": line_mm("FU1"),
        },
        "one slice": {
            "kind": "caliper",
            "lesion": "T01",
            "series_uid": uid,
            "axis": "long",
            "line_mm": [[0.5, 0.5, 0.0], [0.5, 0.5, 20.0]],
        },
    }
    for words, ask in asks.items():
        answer = reader.try_change("BASELINE", **ask)
        assert answer.status_code == 422, (words, answer.text)
        assert words in answer.json()["error"]["message"], (words, answer.text)
