"""Who may do what: every route as nobody, as each role, as the wrong reader and as a program, against one table."""

import re
from collections.abc import Callable

import httpx
import pytest

from npcpit_imaging.server.application import make_app
from npcpit_imaging.store.images import study_uid_of
from tests.server.conftest import PEOPLE, SUBJECT, Person, Served, read_and_sign

Enter = Callable[[str], Person]

READERS = {"reader1", "reader2", "stranger"}
IMAGES = READERS | {"adjudicator", "researcher", "token"}
EVERYBODY = set(PEOPLE) | {"token"}
ALLOWED: dict[str, set[str]] = {
    "GET /api/health": {*EVERYBODY, "nobody"},
    "GET /api/sign-in": {*EVERYBODY, "nobody"},
    "POST /api/session": {*EVERYBODY, "nobody"},
    "GET /api/oidc/start": {*EVERYBODY, "nobody"},
    "GET /api/oidc/callback": {*EVERYBODY, "nobody"},
    "GET /api/session": EVERYBODY,
    "DELETE /api/session": EVERYBODY,
    "GET /api/openapi.json": EVERYBODY,
    "GET /api/worklist": READERS,
    "GET /api/reads/{subject}/{timepoint}": READERS,
    "POST /api/reads/{subject}/{timepoint}/changes": READERS,
    "POST /api/reads/{subject}/{timepoint}/undo": READERS,
    "POST /api/reads/{subject}/{timepoint}/redo": READERS,
    "POST /api/reads/{subject}/{timepoint}/preview": READERS,
    "POST /api/reads/{subject}/{timepoint}/tick": READERS,
    "POST /api/reads/{subject}/{timepoint}/sign": READERS,
    "POST /api/reads/{subject}/{timepoint}/unlock": READERS,
    "GET /api/reads/{subject}/{timepoint}/key-images": READERS,
    "GET /api/reads/{subject}/{timepoint}/key-images/{lesion}.png": READERS,
    "GET /api/masks/{digest}": READERS,
    "GET /api/links/{subject}/{timepoint}": READERS,
    "POST /api/links/{subject}/{timepoint}/map": READERS,
    "POST /api/links/{subject}/{timepoint}/points": READERS,
    "GET /api/reads/{subject}/{timepoint}/field": READERS,
    "GET /api/series/{uid}": IMAGES,
    "GET /api/series/{uid}/voxels": IMAGES,
    "GET /api/adjudications": {"adjudicator"},
    "GET /api/adjudications/{subject}": {"adjudicator"},
    "POST /api/adjudications/{subject}": {"adjudicator"},
    "GET /api/coordinator/subjects": {"coordinator", "administrator", "auditor"},
    "GET /api/assignments": {"coordinator"},
    "POST /api/assignments": {"coordinator"},
    "DELETE /api/assignments/{key}": {"coordinator"},
    "GET /api/audit": {"auditor"},
    "GET /api/audit/verify": {"auditor"},
    "GET /api/responses": {"researcher", "auditor"},
    "GET /api/accounts": {"administrator"},
    "POST /api/accounts": {"administrator"},
    "POST /api/accounts/{username}/{action}": {"administrator"},
    "GET /dicom-web/studies": IMAGES,
    "GET /dicom-web/series": IMAGES,
    "GET /dicom-web/studies/{study}/series": IMAGES,
    "GET /dicom-web/studies/{study}/instances": IMAGES,
    "GET /dicom-web/studies/{study}/series/{series}/instances": IMAGES,
    "GET /dicom-web/studies/{study}/metadata": IMAGES,
    "GET /dicom-web/studies/{study}/series/{series}/metadata": IMAGES,
    "GET /dicom-web/studies/{study}/series/{series}/instances/{instance}/metadata": IMAGES,
    "GET /dicom-web/studies/{study}": IMAGES,
    "GET /dicom-web/studies/{study}/series/{series}": IMAGES,
    "GET /dicom-web/studies/{study}/series/{series}/instances/{instance}": IMAGES,
    "GET /dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frames}": IMAGES,
    "POST /dicom-web/studies": {*READERS, "token"},
    "POST /dicom-web/studies/{study}": {*READERS, "token"},
}
"""Route to who gets past the door; what they may then see of a subject is tested apart."""

FILLED = {
    "subject": SUBJECT, "timepoint": "BASELINE", "uid": "1.2.3", "digest": "0" * 64, "lesion": "T01", "key": "1",
    "username": "reader2", "action": "unlock", "study": "1.2.3", "series": "1.2.4", "instance": "1.2.5", "frames": "1",
}  # fmt: skip


def test_the_table_names_every_route_of_the_application(served: Served):
    paths = make_app(served.study).openapi()["paths"]
    every = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert every | {"GET /api/openapi.json"} == set(ALLOWED)


def test_every_route_lets_in_just_those_whom_the_table_names(served: Served, enter: Enter, token: str):
    with httpx.Client(base_url=served.url, timeout=60) as nobody:
        people: dict[str, httpx.Client] = {name: enter(name) for name in PEOPLE}
        machine = httpx.Client(base_url=served.url, timeout=60, headers={"Authorization": f"Bearer {token}"})
        wrong = []
        for name, client in {"nobody": nobody, "token": machine, **people}.items():
            for route, allowed in ALLOWED.items():
                if route == "DELETE /api/session":
                    continue
                status = _ask(client, route)
                let_in = status not in (401, 403) or (status == 401 and route == "POST /api/session")
                let_in = let_in or (status == 403 and name in allowed and "{subject}" in route)  # not assigned
                if let_in != (name in allowed):
                    wrong.append(f"{name}: {route}: {status}")
                expected = 401 if name == "nobody" else 403
                if name not in allowed and status != expected:
                    wrong.append(f"{name}: {route}: expected {expected}, found {status}")
        machine.close()
        assert wrong == []


def _ask(client: httpx.Client, route: str) -> int:
    method, path = route.split(" ", 1)
    url = re.sub(r"{(\w+)}", lambda found: FILLED[found.group(1)], path)
    answer = client.request(method, url, json={} if method == "POST" and "dicom-web" not in url else None)
    assert answer.status_code < 500, (route, answer.text)
    return answer.status_code


@pytest.mark.parametrize("name", ["stranger"])
def test_a_reader_without_the_assignment_is_told_nothing_of_the_subject(served: Served, enter: Enter, name: str):
    stranger = enter(name)
    assert stranger.get("/api/worklist").json() == {"items": []}
    for subject in (SUBJECT, "NPC-9999"):
        answer = stranger.get(f"/api/reads/{subject}/BASELINE")
        assert (answer.status_code, answer.json()["error"]["message"]) == (
            403,
            f"{subject} BASELINE: not assigned to you",
        )
    assert stranger.get("/dicom-web/studies").json() == []
    uid = served.series["BASELINE"]
    assert stranger.get(f"/api/series/{uid}").status_code == 404
    assert stranger.get(f"/api/series/{uid}/voxels").status_code == 404


def test_no_look_ahead_in_reads_pixels_links_or_dicomweb(served: Served, enter: Enter):
    """FU1 and FU2 open one after the other, and not before: their pixels, headers, counts and places neither."""
    reader = enter("reader1")
    for visit, before in (("FU1", "BASELINE"), ("FU2", "FU1")):
        uid = served.series[visit]
        answers = [
            reader.get(f"/api/reads/{SUBJECT}/{visit}"),
            reader.get(f"/api/series/{uid}"),
            reader.get(f"/api/series/{uid}/voxels"),
            reader.get(f"/api/links/{SUBJECT}/{visit}"),
            reader.get(f"/dicom-web/studies/{_study(served, uid)}/series/{uid}"),
            reader.get(f"/dicom-web/studies/{_study(served, uid)}/series/{uid}/metadata"),
        ]
        codes = {(each.status_code, each.json()["error"]["code"]) for each in answers}
        assert codes == {(403, "locked-timepoint")}
        assert len(reader.get("/dicom-web/series").json()) == list(served.series).index(before) + 1
        shown = {each["name"]: each["series"] for each in reader.read(before)["timepoints"]}
        assert shown[visit] == []
        read_and_sign(reader, before, served.series[before])
        assert reader.get(f"/api/series/{uid}").status_code == 200


def _study(served: Served, series_uid: str) -> str:
    with served.study.database.session() as session:
        return study_uid_of(session, series_uid)


def test_a_reader_never_receives_the_other_reader_s_rows(served: Served, enter: Enter):
    """What reader 1 signed, drew, named and wrote stands in no answer that reader 2 can get."""
    one, two = enter("reader1"), enter("reader2")
    one.change("BASELINE", kind="annotate", lesion="T01", comment="only-reader-one-wrote-this")
    one.change("BASELINE", kind="add_lesion", role="NON-TARGET", organ="LUNG", location="LUNG", nodal=False)
    one.change("BASELINE", kind="state", lesion="NT01-R1", state="present")
    read_and_sign(one, "BASELINE", served.series["BASELINE"])
    uid = served.series["FU1"]
    one.change("FU1", kind="add_lesion", role="NEW", organ="LIVER", location="LIVER", nodal=False, state="equivocal")
    texts = [
        two.get("/api/worklist").text,
        two.get(f"/api/reads/{SUBJECT}/BASELINE").text,
        two.get("/dicom-web/studies").text,
    ]
    read_and_sign(two, "BASELINE", served.series["BASELINE"])
    texts += [two.get(f"/api/reads/{SUBJECT}/FU1").text, two.get(f"/api/series/{uid}").text]
    for text in texts:
        for secret in ("reader1", "only-reader-one", "NT01-R1", "N01-R1", "LIVER", "LUNG"):
            assert secret not in text, secret
    assert [each["earlier"][0]["size_mm"] for each in two.read("FU1")["lesions"] if each["lesion"] == "T01"] == [24.0]


def test_no_answer_holds_a_hospital_s_identifier(served: Served, enter: Enter, token: str):
    reader = enter("reader1")
    uid = served.series["BASELINE"]
    study = _study(served, uid)
    urls = [
        f"/api/reads/{SUBJECT}/BASELINE", f"/api/series/{uid}", "/api/worklist", "/dicom-web/studies",
        f"/dicom-web/studies/{study}/series", f"/dicom-web/studies/{study}/instances",
        f"/dicom-web/studies/{study}/metadata", f"/dicom-web/studies/{study}",
    ]  # fmt: skip
    for url in urls:
        answer = reader.get(url)
        assert answer.status_code == 200
        for secret in (b"HOSPITAL-4711", b"Secret", b"ACC-4711", b"1.2.3.1.1"):
            assert secret not in answer.content, (url, secret)
