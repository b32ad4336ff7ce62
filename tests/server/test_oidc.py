"""Sign-in with OpenID Connect against a provider that is a process of its own, and everything a bad token can be."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from npcpit_imaging.app.access import oidc_provider
from npcpit_imaging.app.access.accounts import accounts, add_account, set_disabled
from npcpit_imaging.app.access.oidc_provider import read_secret
from npcpit_imaging.app.access.roles import Role
from npcpit_imaging.config.server import OidcSite
from npcpit_imaging.errors import ConfigError
from npcpit_imaging.store.assignments import AssignmentKind, put_assignment
from npcpit_imaging.store.audit import audit_events, verify_audit
from tests.server.conftest import SUBJECT, Served, line_mm, serving
from tests.server.oidc_provider import CLIENT, SECRET, USERS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """A running provider."""
    command = [sys.executable, "-m", "tests.server.oidc_provider"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:"), "the provider started"
        yield url
        process.terminate()


@pytest.fixture
def served(folder: Path, issuer: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The study, whose site.toml names the provider; anna may read, bert has an account of no use, carl has none."""
    monkeypatch.setattr(oidc_provider, "KEYS_NOT_BEFORE_S", 0.0)
    break_rule(issuer, "")
    secret = folder / "vault" / "oidc_secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    site = folder / "configs" / "site.toml"
    lines = f'[server.oidc]\nname = "Hospital"\nissuer = "{issuer}"\nclient_id = "{CLIENT}"\npublic_url = "http://127.0.0.1"\n'
    site.write_text(site.read_text() + "\n" + lines)
    with serving(folder) as running:
        provider = running.app._app.state.oidc.provider  # the port is known only now
        provider.site = provider.site.model_copy(update={"public_url": running.url})
        add_account(running.study, "anna", roles=frozenset({Role.READER}), oidc_subject="sub-anna")
        add_account(running.study, "bert", roles=frozenset({Role.COORDINATOR}), oidc_subject="sub-bert")
        with running.study.database.session() as session:
            put_assignment(
                session, subject=SUBJECT, timepoint="", username="anna", kind=AssignmentKind.READER, due=None,
                now=running.study.now(),
            )  # fmt: skip
        yield running


def break_rule(issuer: str, fault: str) -> None:
    """Make the provider break one rule."""
    httpx.post(f"{issuer}/fault", json={"fault": fault}).raise_for_status()


def leave(browser: httpx.Client, served: Served, purpose: str = "sign-in") -> httpx.Response:
    """Go to the provider: its form, or straight back where it asks nothing."""
    start = browser.get(f"{served.url}/api/oidc/start", params={"purpose": purpose})
    assert start.status_code == 303, start.text
    return browser.get(start.headers["location"])


def fill_in(browser: httpx.Client, issuer: str, form: httpx.Response, user: str) -> str:
    """Fill in the provider's form; gives the address that it sends the browser back to."""
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form.text.replace("&amp;", "&")))
    sent = browser.post(f"{issuer}/login", data={**fields, "user": user, "password": USERS[user][0]})
    assert sent.status_code == 303, sent.text
    return sent.headers["location"]


def way_back(browser: httpx.Client, served: Served, issuer: str) -> str:
    """The address that the provider sends anna's browser back to, asking her only where it does not know her yet."""
    form = leave(browser, served)
    return form.headers["location"] if form.status_code == 303 else fill_in(browser, issuer, form, "anna")


def sign_in(browser: httpx.Client, served: Served, issuer: str, user: str = "anna") -> httpx.Response:
    """The whole way; gives our answer to the browser that came back."""
    return browser.get(fill_in(browser, issuer, leave(browser, served), user))


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30) as client:
        yield client


def test_a_known_person_signs_in_and_reads_and_gets_no_other_role_than_ours(
    served: Served, issuer: str, browser: httpx.Client
):
    assert browser.get(f"{served.url}/api/sign-in").json()["oidc"] == {"name": "Hospital", "url": "/api/oidc/start"}
    back = sign_in(browser, served, issuer)
    assert (back.status_code, back.headers["location"]) == (303, "/")
    cookie = next(each for each in back.headers.get_list("set-cookie") if each.startswith("npcpit_session="))
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    session = browser.get(f"{served.url}/api/session").json()
    assert (session["username"], session["method"], session["roles"]) == ("anna", "oidc", ["reader"])
    assert browser.get(f"{served.url}/api/worklist").json()["items"][0]["subject"] == SUBJECT
    assert browser.get(f"{served.url}/api/audit").status_code == 403
    assert browser.delete(f"{served.url}/api/session").status_code == 403, (
        "its CSRF token is asked for, as of any session"
    )


def test_who_has_no_account_gets_none_and_a_closed_one_stays_closed(served: Served, issuer: str, browser: httpx.Client):
    names = {each.username for each in accounts(served.study)}
    refused = sign_in(browser, served, issuer, "carl")
    assert refused.status_code == 403
    assert "no account here" in refused.text
    assert browser.get(f"{served.url}/api/session").status_code == 401
    assert {each.username for each in accounts(served.study)} == names
    set_disabled(served.study, "anna", disabled=True, actor="test")
    browser.cookies.clear()
    assert sign_in(browser, served, issuer).status_code == 403
    with served.study.database.session() as session:
        said = [(each.actor, each.action) for each in audit_events(session, after=0, limit=1000)]
        assert verify_audit(session).whole
    assert {("(unknown)", "session.refused"), ("anna", "session.refused")} <= set(said)


@pytest.mark.parametrize(
    "fault",
    [
        "nonce", "no-nonce", "audience", "issuer", "expired", "future", "azp", "at-hash", "alg-none",
        "our-secret-as-key", "unknown-key", "signature",
    ],
)  # fmt: skip
def test_an_id_token_that_is_not_genuine_lets_nobody_in(served: Served, issuer: str, browser: httpx.Client, fault: str):
    break_rule(issuer, fault)
    refused = sign_in(browser, served, issuer)
    assert refused.status_code == 403
    assert "not genuine" in refused.text
    assert browser.get(f"{served.url}/api/session").status_code == 401


def test_an_answer_counts_once_and_only_in_the_browser_that_asked(served: Served, issuer: str, browser: httpx.Client):
    """Replayed state, a made-up state, another browser (login CSRF), an answer of another provider."""
    back = way_back(browser, served, issuer)
    with httpx.Client() as other:
        assert other.get(back).status_code == 403, "another browser"
    assert browser.get(back).status_code == 403, "and then it is used up"
    back = way_back(browser, served, issuer)
    mark = browser.cookies.get("npcpit_oidc", domain="127.0.0.1")
    assert browser.get(back).status_code == 303
    browser.cookies.set("npcpit_oidc", mark or "", domain="127.0.0.1", path="/api/oidc/callback")
    assert browser.get(back).status_code == 403, "replayed"
    assert browser.get(f"{served.url}/api/oidc/callback?state=made-up&code=x").status_code == 403
    back = way_back(browser, served, issuer)
    assert browser.get(re.sub(r"iss=[^&]*", "iss=https%3A%2F%2Fevil.example", back)).status_code == 403
    back = way_back(browser, served, issuer)
    assert browser.get(re.sub(r"code=[^&]*", "error=access_denied&code=x", back)).status_code == 403
    back = way_back(browser, served, issuer)
    assert browser.get(re.sub(r"code=[^&]*", "code=made-up", back)).status_code == 403


def test_new_keys_of_the_provider_are_fetched(served: Served, issuer: str, browser: httpx.Client):
    assert sign_in(browser, served, issuer).status_code == 303
    break_rule(issuer, "rotate")
    browser.cookies.clear()
    assert sign_in(browser, served, issuer).status_code == 303


def test_signing_in_always_gives_a_new_session(served: Served, issuer: str, browser: httpx.Client):
    """No fixation: what the browser brought along is nobody's session, before and after."""
    browser.cookies.set("npcpit_session", "chosen by somebody else", domain="127.0.0.1")
    assert sign_in(browser, served, issuer).status_code == 303
    kept = [each.value for each in browser.cookies.jar if each.name == "npcpit_session"]
    assert any(value != "chosen by somebody else" for value in kept)
    fixed = httpx.get(f"{served.url}/api/session", cookies={"npcpit_session": "chosen by somebody else"})
    assert fixed.status_code == 401


def test_the_earlier_session_ends_though_its_cookie_is_not_sent_on_the_way_back(
    served: Served, issuer: str, browser: httpx.Client
):
    """A browser sends no SameSite=strict cookie when another site sends it back: what it held at the start counts."""
    assert sign_in(browser, served, issuer).status_code == 303
    (held,) = [each for each in browser.cookies.jar if each.name == "npcpit_session"]
    assert session_of(served, str(held.value)) == 200
    back = way_back(browser, served, issuer)
    browser.cookies.jar.clear(held.domain, held.path, held.name)
    assert browser.get(back).status_code == 303
    assert session_of(served, str(held.value)) == 401


def session_of(served: Served, identifier: str) -> int:
    return httpx.get(f"{served.url}/api/session", cookies={"npcpit_session": identifier}).status_code


def test_a_signature_needs_the_provider_to_ask_again(served: Served, issuer: str, browser: httpx.Client):
    """Single sign-on asks nobody: signing in is not enough, nor a provider that lets in without asking."""
    assert sign_in(browser, served, issuer).status_code == 303
    visit = f"{served.url}/api/reads/{SUBJECT}/BASELINE"

    def headers() -> dict[str, str]:
        return {"X-CSRF-Token": browser.get(f"{served.url}/api/session").json()["csrf"]}

    def sign() -> httpx.Response:
        body = {"revision": browser.get(visit).json()["revision"], "meaning": "read"}
        return browser.post(f"{visit}/sign", json=body, headers=headers())

    for change in (
        {"kind": "caliper", "lesion": "T01", "series_uid": served.series["BASELINE"], "axis": "long",
         "line_mm": line_mm("BASELINE")},
        {"kind": "confirm", "lesion": "T01", "accept": "caliper"},
        {"kind": "state", "lesion": "NT01", "state": "present"},
    ):  # fmt: skip
        body = {"revision": browser.get(visit).json()["revision"], "change": change}
        assert browser.post(f"{visit}/changes", json=body, headers=headers()).status_code == 200
    refused = sign()
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "reauthenticate")
    assert refused.json()["error"]["detail"]["url"] == "/api/oidc/start?purpose=sign"
    break_rule(issuer, "lets-in-without-asking")
    unasked = leave(browser, served, "sign")
    assert unasked.status_code == 303
    assert "earlier sign-in" in browser.get(unasked.headers["location"]).text
    assert sign().status_code == 401
    break_rule(issuer, "")
    back = fill_in(browser, issuer, leave(browser, served, "sign"), "bert")
    assert "another one" in browser.get(back).text
    back = fill_in(browser, issuer, leave(browser, served, "sign"), "anna")
    assert browser.get(back).status_code == 303
    signed = sign()
    assert (signed.status_code, signed.json()["status"]) == (200, "signed")


def test_a_provider_that_describes_itself_as_another_is_refused(served: Served, issuer: str, browser: httpx.Client):
    break_rule(issuer, "discovery")
    assert browser.get(f"{served.url}/api/oidc/start").status_code == 502


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"issuer": "http://idp.example"}, "issuer: expected an https address"),
        ({"public_url": "http://reading.example"}, "public_url: expected an https address"),
        ({"client_secret_file": "vault/none"}, "no file vault/none"),
        ({"client_secret_file": "open"}, "readable by its owner alone"),
        ({"client_secret_file": "empty"}, "found nothing"),
    ],
)
def test_what_site_toml_says_is_checked_at_start(tmp_path: Path, changed: dict[str, str], said: str):
    for name, text, mode in (("open", "secret", 0o644), ("empty", "\n", 0o600)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
    site = OidcSite(issuer="https://idp.example", client_id="x", public_url="https://reading.example")
    with pytest.raises(ConfigError, match=re.escape(said)):
        read_secret(site.model_copy(update=changed), tmp_path)


def test_without_a_provider_there_is_none_to_go_to(folder: Path):
    with serving(folder) as plain:
        assert httpx.get(f"{plain.url}/api/oidc/start").status_code == 404
        assert httpx.get(f"{plain.url}/api/oidc/callback?state=x&code=y").status_code == 404
        assert httpx.get(f"{plain.url}/api/sign-in").json()["oidc"] is None
