"""Two readers, then an adjudicator who picks one read whole without knowing whose it is; and the coordinator's view."""

from collections.abc import Callable

from npcpit_imaging.app.adjudicating import Cause
from tests.server.conftest import DAYS, PASSWORD, SUBJECT, Person, Served, line_mm, read_and_sign

Enter = Callable[[str], Person]


def read_all(client: Person, served: Served, *, last: str) -> None:
    """Sign every visit; the last one with a given state of the non-target."""
    for visit in DAYS:
        read_and_sign(client, visit, served.series[visit], non_target=last if visit == "FU2" else "present")


def progress(client: Person, served: Served) -> None:
    """Sign every visit, the last one with unequivocal progression of the non-target."""
    for visit in DAYS:
        if visit == "FU2":
            client.change(visit, kind="annotate", lesion="NT01", comment="grown into the orbit")
        read_and_sign(client, visit, served.series[visit], non_target="unequivocal_pd" if visit == "FU2" else "present")


def test_the_adjudicator_waits_for_both_then_chooses_one_read_whole(served: Served, enter: Enter):
    one, two, judge = enter("reader1"), enter("reader2"), enter("adjudicator")
    read_all(one, served, last="present")
    assert judge.get("/api/adjudications").json()["items"][0]["status"] == "waiting"
    progress(two, served)
    found = judge.get(f"/api/adjudications/{SUBJECT}").json()
    assert found["status"] == "open"
    assert {row["overall"] for each in found["reads"] for row in each["timepoints"] if row["timepoint"] == "FU2"} == {
        "PR",
        "PD",
    }
    assert any(text.startswith("FU2 overall: A ") for text in found["discordance"])
    assert "reader1" not in str(found)
    assert "reader2" not in str(found)
    chosen = next(each["label"] for each in found["reads"] if each["timepoints"][-1]["overall"] == "PD")
    body = {
        "revision": found["revision"], "chosen": chosen, "cause": Cause.NON_TARGET.value, "password": PASSWORD,
        "meaning": "adjudicated",
    }  # fmt: skip
    url = f"/api/adjudications/{SUBJECT}"
    assert judge.post(url, json={**body, "cause": "I like it better"}).status_code == 422
    assert judge.post(url, json={**body, "password": "wrong password!"}).status_code == 401
    assert judge.post(url, json={**body, "revision": "old"}).status_code == 409
    decided = judge.post(url, json=body).json()
    assert (decided["status"], decided["decision"]["chosen"], decided["decision"]["version"]) == ("decided", chosen, 1)
    assert judge.post(url, json=body).status_code == 422, "a second decision needs a reason"
    assert judge.post(url, json={**body, "reason": "looked again"}).json()["decision"]["version"] == 2
    two.post(f"/api/reads/{SUBJECT}/FU2/unlock", json={"reason": "a slip"})
    assert two.sign("FU2").status_code == 200
    assert judge.get(url).json()["status"] == "stale", "the decision rests on a read that was superseded"


def test_readers_who_agree_need_no_adjudicator(served: Served, enter: Enter):
    for name in ("reader1", "reader2"):
        read_all(enter(name), served, last="present")
    assert enter("adjudicator").get("/api/adjudications").json()["items"][0]["status"] == "agreed"


def test_the_coordinator_sees_how_far_everybody_is_and_nothing_of_what_is_read(served: Served, enter: Enter):
    reader, coordinator = enter("reader1"), enter("coordinator")
    read_and_sign(reader, "BASELINE", served.series["BASELINE"])
    reader.change("FU1", kind="annotate", lesion="T01", comment="nobody-else-s-business")
    assigned = coordinator.get("/api/assignments").json()["assignments"]
    late = {"subject": SUBJECT, "timepoint": "FU1", "username": "reader1", "kind": "reader", "due": "2020-01-01"}
    assert coordinator.post("/api/assignments", json=late).status_code == 201
    answer = coordinator.get("/api/coordinator/subjects")
    (subject,) = answer.json()["subjects"]
    visits = {each["name"]: each for each in subject["visits"]}
    status = {name: {read["username"]: read["status"] for read in visit["reads"]} for name, visit in visits.items()}
    assert status["BASELINE"] == {"reader1": "signed", "reader2": "open"}
    assert status["FU1"] == {"reader1": "in_progress", "reader2": "locked"}
    assert [read["overdue"] for read in visits["FU1"]["reads"]] == [True, False]
    assert visits["FU1"]["series"] == {"CT": 1}
    assert visits["FU1"]["expected"] is not None
    for secret in ("nobody-else", "24.0", "PR"):
        assert secret not in answer.text
    assert coordinator.delete(f"/api/assignments/{assigned[1]['id']}").status_code == 204
    assert enter("reader2").get("/api/worklist").json()["items"] == []


def test_nobody_adjudicates_an_own_read(served: Served, enter: Enter):
    coordinator = enter("coordinator")
    both = {"subject": SUBJECT, "username": "adjudicator", "kind": "reader"}
    answer = coordinator.post("/api/assignments", json=both)
    assert answer.status_code == 422
    nobody = {"subject": "NPC-9999", "username": "reader1", "kind": "reader"}
    assert coordinator.post("/api/assignments", json=nobody).status_code == 422


def test_an_adjudicator_of_another_subject_sees_nothing(served: Served, enter: Enter):
    judge = enter("adjudicator")
    assert judge.get("/api/adjudications/NPC-9999").status_code == 403
    assert line_mm("FU1")[0][0] == -7.5
