"""Signing in: fixation, CSRF, lock-out, idling, closing an account, headers, hostile addresses and bodies."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher, Type
from sqlalchemy import select, update

from npcpit_imaging.app.access.accounts import add_account, check_password, roles_from, set_disabled
from npcpit_imaging.app.access.tokens import add_token, find_token, revoke_token
from npcpit_imaging.config.server import ServerSite, ServerTls
from npcpit_imaging.errors import ConfigError, InputError, SignedOutError
from npcpit_imaging.server.callers import COOKIE
from npcpit_imaging.server.headers import SMALL_BODY
from npcpit_imaging.server.run import require_guarded
from npcpit_imaging.store.reading_schema import AccountRow, LoginSessionRow, MachineTokenRow
from tests.server.conftest import PASSWORD, SUBJECT, Person, Served

Enter = Callable[[str], Person]


def sign_in(client: httpx.Client, name: str = "reader1", password: str = PASSWORD) -> httpx.Response:
    return client.post("/api/session", json={"username": name, "password": password})


@pytest.fixture
def browser(served: Served):
    with httpx.Client(base_url=served.url, timeout=60) as client:
        yield client


def test_a_session_s_identifier_is_new_at_every_sign_in_and_the_old_one_is_dead(browser: httpx.Client):
    """Session fixation: an identifier that somebody planted, or that was used before signing in, opens nothing."""
    browser.cookies.set(COOKIE, "planted-by-somebody-else")
    first = sign_in(browser).cookies[COOKIE]
    assert first != "planted-by-somebody-else"
    second = sign_in(browser).cookies[COOKIE]
    assert second != first
    for dead in ("planted-by-somebody-else", first):
        answer = httpx.get(f"{browser.base_url}/api/session", cookies={COOKIE: dead})
        assert answer.status_code == 401


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(browser: httpx.Client):
    said = sign_in(browser).headers["set-cookie"]
    assert "HttpOnly" in said
    assert "SameSite=strict" in said
    assert "Secure" not in said, "loopback without TLS"


def test_a_change_without_the_csrf_token_or_with_another_session_s_is_refused(browser: httpx.Client, enter: Enter):
    csrf = sign_in(browser).json()["csrf"]
    other = enter("reader2").headers["X-CSRF-Token"]
    url = f"/api/reads/{SUBJECT}/BASELINE/tick"
    for headers in ({}, {"X-CSRF-Token": "x"}, {"X-CSRF-Token": other}):
        answer = browser.post(url, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "csrf")
    assert browser.post(url, headers={"X-CSRF-Token": csrf}).status_code == 200


def test_another_site_s_page_cannot_sign_somebody_in(browser: httpx.Client):
    body = {"username": "reader1", "password": PASSWORD}
    answer = browser.post("/api/session", json=body, headers={"Origin": "https://elsewhere.example"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "csrf")


def test_five_wrong_passwords_lock_the_account_for_a_while_even_for_the_right_one(
    served: Served, browser: httpx.Client
):
    for _ in range(5):
        wrong = sign_in(browser, password="wrong password!")
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "bad-password")
    locked = sign_in(browser)
    assert (locked.status_code, locked.json()["error"]["code"]) == (423, "locked-out")
    assert 0 < locked.json()["error"]["detail"]["seconds"] <= 15 * 60
    with served.study.database.session() as session:
        session.execute(update(AccountRow).values(locked_until=served.study.now() - timedelta(seconds=1)))
    assert sign_in(browser).status_code == 200


def test_an_unknown_user_is_answered_like_a_wrong_password(browser: httpx.Client):
    answers = [sign_in(browser, "nobody-here"), sign_in(browser, password="wrong password!")]
    assert {(each.status_code, each.text) for each in answers} == {(401, answers[0].text)}


def test_an_idle_session_ends_and_says_so(served: Served, browser: httpx.Client):
    sign_in(browser)
    with served.study.database.session() as session:
        session.execute(update(LoginSessionRow).values(seen=served.study.now() - timedelta(minutes=31)))
    answer = browser.get("/api/worklist")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "idle")
    assert browser.get("/api/worklist").json()["error"]["code"] == "signed-out"


def test_signing_out_and_closing_the_account_end_the_session_at_the_server(served: Served, browser: httpx.Client):
    csrf = sign_in(browser).json()["csrf"]
    cookie = browser.cookies[COOKIE]
    assert browser.delete("/api/session", headers={"X-CSRF-Token": csrf}).status_code == 204
    assert httpx.get(f"{served.url}/api/session", cookies={COOKIE: cookie}).status_code == 401
    sign_in(browser)
    set_disabled(served.study, "reader1", disabled=True, actor="test")
    assert browser.get("/api/session").status_code == 401
    assert sign_in(browser).status_code == 401


def test_neither_password_nor_identifier_nor_token_is_kept(served: Served, browser: httpx.Client):
    identifier = sign_in(browser).cookies[COOKIE]
    secret = add_token(served.study, "robot", ["images"])
    with served.study.database.session() as session:
        kept = [
            *(row.password_hash for row in session.scalars(select(AccountRow))),
            *(row.id_sha256 for row in session.scalars(select(LoginSessionRow))),
            *(row.sha256 for row in session.scalars(select(MachineTokenRow))),
        ]
    assert all(hashed.startswith("$argon2id$") for hashed in kept[:8])
    assert not any(hidden in text for text in kept for hidden in (PASSWORD, identifier, secret))


def test_a_token_is_scoped_expires_and_is_revoked(served: Served):
    secret = add_token(served.study, "viewer", ["images"], days=1)
    headers = {"Authorization": f"Bearer {secret}"}
    assert len(httpx.get(f"{served.url}/dicom-web/studies", headers=headers).json()) == 3
    assert httpx.get(f"{served.url}/api/audit", headers=headers).status_code == 403
    with served.study.database.session() as session:
        session.execute(update(MachineTokenRow).values(expires=served.study.now() - timedelta(seconds=1)))
    with pytest.raises(SignedOutError):
        find_token(served.study, secret)
    other = add_token(served.study, "other", ["images"])
    revoke_token(served.study, "other")
    assert httpx.get(f"{served.url}/dicom-web/studies", headers={"Authorization": f"Bearer {other}"}).status_code == 401
    with pytest.raises(InputError, match="expected some of"):
        add_token(served.study, "greedy", ["read"])


def test_who_is_blinded_has_no_role_that_sees_answers_and_no_password_is_short():
    with pytest.raises(InputError, match="reader goes with no role"):
        roles_from(["reader", "researcher"])
    with pytest.raises(InputError, match="found another"):
        roles_from(["king"])
    with pytest.raises(InputError, match="12 to 256 characters, found 5"):
        check_password("short")
    assert roles_from(["reader", "coordinator"])


def test_a_name_is_taken_once(served: Served):
    with pytest.raises(InputError, match="there is one already"):
        add_account(served.study, "reader1", roles=roles_from(["reader"]), password=PASSWORD)


def test_every_answer_carries_the_security_headers(browser: httpx.Client):
    for url in ("/", "/api/health", "/api/worklist", "/dicom-web/studies", "/nothing.js"):
        headers = browser.get(url).headers
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "'wasm-unsafe-eval'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "server" not in headers or "uvicorn" not in headers["server"]


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/vault/key",
        "/..%2f..%2fvault%2fkey",
        "/assets/../../../../vault/key",
        "/dicom-web/studies/..%2f..%2fvault/series/1/instances/1",
        "/dicom-web/studies/1.2/series/..%2f..%2f..%2fvault%2fkey/metadata",
        "/dicom-web/studies/1.2/series/1.3/instances/%2e%2e%2f%2e%2e%2fvault%2fkey/frames/1",
        "/api/series/..%2f..%2fvault%2fkey",
        "/api/series/1.2.3%00/voxels",
        "/api/masks/..%2f..%2fnpcpit.sqlite",
        "/api/reads/..%2f..%2fvault/key/key-images/..%2f..%2fkey.png",
    ],
)
def test_no_address_leads_out_of_the_study(served: Served, path: str):
    """Sent as they stand: httpx would tidy them up."""
    secret = (served.study.vault / "key").read_text()
    authority = served.url.removeprefix("http://")
    host, port = authority.split(":")
    token = add_token(served.study, f"t{abs(hash(path)) % 10**9}", ["images"])
    import socket

    with socket.create_connection((host, int(port)), timeout=30) as raw:
        head = f"Host: {authority}\r\nAuthorization: Bearer {token}\r\nConnection: close"
        raw.sendall(f"GET {path} HTTP/1.1\r\n{head}\r\n\r\n".encode())
        answer = b""
        while piece := raw.recv(65536):
            answer += piece
    status = int(answer.split(b" ", 2)[1])
    assert status in (400, 401, 403, 404, 422, 503), answer[:200]
    assert secret.encode() not in answer
    assert b"root:" not in answer


def test_a_body_that_is_too_large_or_no_json_is_refused_before_anything_is_done(enter: Enter):
    reader = enter("reader1")
    url = f"/api/reads/{SUBJECT}/BASELINE/changes"
    large = reader.post(url, content=b"[" * (SMALL_BODY + 1), headers={"Content-Type": "application/json"})
    assert (large.status_code, large.json()["error"]["code"]) == (413, "too-large")
    malformed = dict.fromkeys((b"", b"{", b"null", b'{"revision": 1e999, "change": {}}', b"\xff\xfe"), 422)
    too_deep = {b"[" * 100_000: 400}  # no parser gets to its end
    for body, status in (malformed | too_deep).items():
        answer = reader.post(url, content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, "invalid"), body[:20]


def test_beyond_this_machine_only_with_tls_or_a_proxy():
    with pytest.raises(ConfigError, match=r"expected \[server.tls\], or behind_proxy"):
        require_guarded(ServerSite(), "0.0.0.0")
    require_guarded(ServerSite(), "127.0.0.1")
    require_guarded(ServerSite(behind_proxy=True), "0.0.0.0")
    require_guarded(ServerSite(tls=ServerTls(certificate="c.pem", key="k.pem")), "0.0.0.0")


def test_without_a_built_page_the_server_says_how_to_build_it(served: Served, tmp_path: Path):
    from fastapi import FastAPI

    from npcpit_imaging.server.page import NOT_BUILT, add_page

    app = FastAPI()
    add_page(app, dist=tmp_path / "dist")
    assert any(route.path == "/{path:path}" for route in app.routes)
    assert "npm ci" in NOT_BUILT


def test_what_is_shipped_hashes_passwords_at_full_cost(cheap_hashes: PasswordHasher):
    """Argon2id at no less than RFC 9106's second recommended option (64 MiB, 3 passes); these tests' own are cheap."""
    assert cheap_hashes.type is Type.ID
    assert (cheap_hashes.memory_cost, cheap_hashes.time_cost) >= (64 * 1024, 3)
