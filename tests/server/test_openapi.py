"""The OpenAPI description against the server: schemathesis finds no request that makes it fail."""

from dataclasses import dataclass

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from npcpit_imaging.server.application import make_app
from npcpit_imaging.store.images import study_uid_of
from tests.server.conftest import PASSWORD, SUBJECT, Served, person
from tests.server.test_access import ALLOWED

EXAMPLES = 2
"""Requests per operation and person; the slow run asks many more."""

UNHEARD = {
    "DELETE /api/session",  # it would end the run
    "GET /api/openapi.json",  # does not describe itself
}
"""Routes of which nothing is demanded."""


@pytest.mark.parametrize("name", ["reader1", "coordinator"])
def test_no_described_request_makes_the_server_fail(served: Served, name: str):
    judge(try_everything(served, name, examples=EXAMPLES), name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["reader1", "adjudicator", "coordinator", "researcher", "administrator", "auditor"])
def test_no_described_request_makes_the_server_fail_at_length(served: Served, name: str):
    judge(try_everything(served, name, examples=40), name)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the server said to a request."""

    route: str
    asked: str
    status: int
    turned_away: bool


def judge(answers: list[Answer], name: str) -> None:
    """No server error; who may do something got behind that door, so that it means something, and nobody else."""
    assert [each for each in answers if each.status >= 500] == []
    mine = {route for route, people in ALLOWED.items() if name in people} - UNHEARD
    assert mine - {each.route for each in answers if not each.turned_away} == set()
    served = {each.route for each in answers if each.status < 300 and each.route in ALLOWED}
    assert {route for route in served if name not in ALLOWED[route]} == set()
    assert {200, 403} <= {each.status for each in answers}, "served and forbidden"


def try_everything(served: Served, name: str, *, examples: int) -> list[Answer]:
    """Send requests of every operation."""
    schema = schemathesis.openapi.from_dict(make_app(served.study).openapi())
    answers: list[Answer] = []
    uid = served.series["BASELINE"]
    with served.study.database.session() as session:
        study = study_uid_of(session, uid)
    known: dict[str, object] = {
        "subject": SUBJECT,
        "timepoint": "BASELINE",
        "lesion": "T01",
        "series_uid": uid,
        "uid": uid,
    }
    known |= {"study": study, "series": uid}
    with person(served, name) as client:
        for result in schema.get_all_operations():
            operation = result.ok()
            if (operation.method.upper(), operation.path) == ("DELETE", "/api/session"):
                continue
            _try(operation, client, answers, known, examples)
    return answers


def know(given: object, known: dict[str, object]) -> None:
    """Put names that are there in the place of made-up ones: else nothing gets behind the first door."""
    if isinstance(given, list):
        for each in given:
            know(each, known)
    if isinstance(given, dict):
        for name, value in given.items():
            if name in known and isinstance(value, type(known[name])):
                given[name] = known[name]
            else:
                know(value, known)


def revision_of(client: httpx.Client) -> int:
    """Of the reader's draft; nobody else has one."""
    answer = client.get(f"/api/reads/{SUBJECT}/BASELINE")
    return int(answer.json()["revision"]) if answer.status_code == 200 else 0


def is_turned_away(answer: httpx.Response) -> bool:
    """Whether it says that this person may not ask such a thing at all."""
    said = answer.text
    words = {401: ('"signed-out"', '"idle"'), 403: ("expected somebody who may", '"csrf"')}
    return any(word in said for word in words.get(answer.status_code, ()))


def _try(
    operation: object, client: httpx.Client, answers: list[Answer], known: dict[str, object], examples: int
) -> None:
    route = f"{operation.method.upper()} {operation.path}"  # type: ignore[attr-defined]

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy())  # type: ignore[attr-defined]
    def ask(case: schemathesis.Case) -> None:
        know(case.path_parameters, known)
        know(case.body, {**known, "revision": revision_of(client)})
        asked = case.as_transport_kwargs(base_url=str(client.base_url))
        asked = {
            key: value for key, value in asked.items() if key in ("method", "url", "params", "json", "data", "headers")
        }
        headers = {
            key: value
            for key, value in dict(asked.pop("headers", None) or {}).items()
            if key.lower() not in ("x-csrf-token",)
        }
        data = asked.pop("data", None)
        try:
            answer = client.request(**asked, headers=headers, content=data if isinstance(data, str | bytes) else None)
        except (httpx.InvalidURL, UnicodeError):
            return  # nothing that can be sent
        said = f"{answer.request.url} {answer.request.content[:300]!r}"
        answers.append(Answer(route=route, asked=said, status=answer.status_code, turned_away=is_turned_away(answer)))

    ask()


def test_the_description_is_for_who_is_signed_in(served: Served):
    assert httpx.get(f"{served.url}/api/openapi.json").status_code == 401
    with person(served, "reader1") as client:
        described = client.get("/api/openapi.json").json()
    assert described["openapi"].startswith("3.")
    assert PASSWORD not in str(described)
