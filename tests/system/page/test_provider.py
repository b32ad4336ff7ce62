"""Signing in with OpenID Connect in a browser: away to a provider of another site, back, and back into an open page."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from npcpit_imaging.app.access import oidc_provider
from npcpit_imaging.app.access.accounts import add_account
from npcpit_imaging.app.access.roles import Role
from npcpit_imaging.app.demo import SUBJECT
from npcpit_imaging.app.study import open_study
from npcpit_imaging.store.assignments import AssignmentKind, put_assignment
from tests.server.oidc_provider import CLIENT, SECRET, USERS
from tests.system.page.conftest import Demo, Site, served

ROOT = Path(__file__).parents[3]


@pytest.fixture
def site(unread: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The study by its name `localhost`; the provider by its address: to the browser two sites, as a hospital's are."""
    monkeypatch.setattr(oidc_provider, "KEYS_NOT_BEFORE_S", 0.0)
    command = [sys.executable, "-m", "tests.server.oidc_provider"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        issuer = process.stdout.readline().strip()

        def arrange(folder: Path, url: str) -> None:
            secret = folder / "vault" / "oidc_secret"
            secret.write_text(SECRET + "\n")
            secret.chmod(0o600)
            site = folder / "configs" / "site.toml"
            lines = (
                "[server.oidc]", 'name = "Hospital"', f'issuer = "{issuer}"', f'client_id = "{CLIENT}"',
                f'public_url = "{url.rstrip("/")}"',
            )  # fmt: skip
            site.write_text(site.read_text() + "\n".join(("", *lines, "")))
            with open_study(folder) as study:
                for name in ("anna", "bert"):
                    add_account(study, name, roles=frozenset({Role.READER}), oidc_subject=f"sub-{name}")
                with study.database.session() as session:
                    put_assignment(
                        session, subject=SUBJECT, timepoint="", username="anna", kind=AssignmentKind.READER, due=None,
                        now=study.now(),
                    )  # fmt: skip

        try:
            with served(unread, tmp_path / "study", arrange=arrange, host="localhost") as found:
                yield found
        finally:
            process.terminate()


def at_the_provider(page, user):
    """Fill in the provider's form."""
    page.fill("input[name=user]", user)
    page.fill("input[name=password]", USERS[user][0])
    page.press("input[name=password]", "Enter")


def test_a_session_of_the_provider_ends_and_only_the_same_person_goes_on(site, hand):
    """Anna reads; her session ends; when bert signs in her page refuses him, and she goes on where she was."""
    page = hand.page
    page.goto(site.url)
    page.click("text=Sign in with Hospital")
    at_the_provider(page, "anna")
    page.click(f"tr[data-item='{SUBJECT} BASELINE'] a")
    page.wait_for_selector("[data-pane=right][data-loaded=all]")
    page.wait_for_selector("tr.chosen[data-lesion=T01]")
    hand.settle()
    page.context.clear_cookies()  # of the provider as well
    revision = hand.revision
    hand.key("a")
    page.wait_for_selector("dialog")
    hand.shot("session-ended")
    for user in ("bert", "anna"):
        with page.context.expect_page() as opened:
            page.click("dialog a")
        other = opened.value
        at_the_provider(other, user)
        other.wait_for_selector("nav a")
        other.close()
        page.click("dialog button[type=submit]")
        if user == "bert":
            page.wait_for_selector("dialog .problem:not(:empty)")
            assert "bert is signed in now" in page.inner_text("dialog .problem")
            assert hand.revision == revision
            page.context.clear_cookies()
    hand.saved(revision)
    assert "absent" in page.inner_text("tr.chosen[data-lesion=T01]")
