"""The OpenAPI description against the server: schemathesis finds no request that makes it fail."""

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from npcpit_imaging.server.application import make_app
from npcpit_imaging.store.images import study_uid_of
from tests.server.conftest import PASSWORD, SUBJECT, Served, person

EXAMPLES = 2
"""Requests per operation and person; the slow run asks many more."""


@pytest.mark.parametrize("name", ["reader1", "coordinator"])
def test_no_described_request_makes_the_server_fail(served: Served, name: str):
    judge(try_everything(served, name, examples=EXAMPLES))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["reader1", "adjudicator", "coordinator", "researcher", "administrator", "auditor"])
def test_no_described_request_makes_the_server_fail_at_length(served: Served, name: str):
    judge(try_everything(served, name, examples=40))


Answers = dict[str, int]
"""Status of every request that was sent, by what it asked."""


def judge(answers: Answers) -> None:
    """No server error; and the requests got in, so that it means something."""
    assert [asked for asked, status in answers.items() if status >= 500] == []
    assert {200, 403, 422} <= set(answers.values()), "served, forbidden, refused"


def try_everything(served: Served, name: str, *, examples: int) -> Answers:
    """Send requests of every operation."""
    schema = schemathesis.openapi.from_dict(make_app(served.study).openapi())
    answers: Answers = {}
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


def _try(operation: object, client: httpx.Client, answers: Answers, known: dict[str, object], examples: int) -> None:
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
        answers[f"{answer.request.method} {answer.request.url} {answer.request.content[:300]!r}"] = answer.status_code

    ask()


def test_the_description_is_for_who_is_signed_in(served: Served):
    assert httpx.get(f"{served.url}/api/openapi.json").status_code == 401
    with person(served, "reader1") as client:
        described = client.get("/api/openapi.json").json()
    assert described["openapi"].startswith("3.")
    assert PASSWORD not in str(described)
