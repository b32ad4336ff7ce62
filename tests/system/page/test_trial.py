"""The reader's work as a trial asks for it: states, edit checks, signing, blinding, adjudication, nothing lost."""

import numpy as np

from npcpit_imaging.app.demo import SUBJECT


def test_signing_in_and_the_worklist(new_site, hand):
    hand.page.goto(new_site.url)
    hand.page.fill("input[name=username]", "reader1")
    hand.page.fill("input[name=password]", "not the password")
    hand.page.click("button[type=submit]")
    hand.page.wait_for_selector(".problem:not(:empty)")
    hand.shot("sign-in")
    hand.sign_in(new_site, "reader1")
    hand.page.wait_for_selector("tr[data-item]")
    hand.shot("worklist")
    assert hand.page.locator("tr[data-item] a").count() == 1, "only the baseline can be opened"
    assert "BASELINE" in hand.page.inner_text("tr[data-item]:has(a)")


def test_a_read_with_a_gap_cannot_be_signed_and_a_whole_one_is_locked(site, hand, truth):
    """Too small by one key, a new lesion by its form, the block, the signature, the lock."""
    reader = site.caller("reader1")
    reader.measure("FU1", "T01", truth)
    hand.open(site, "reader1", "FU1")
    sign = hand.page.locator("button[data-command=sign]")
    assert sign.is_disabled()
    assert hand.page.locator("li.blocks").count() >= 2
    hand.key("Control+Enter")
    assert "Before signing" in hand.page.text_content(".note")
    hand.shot("checks")

    hand.page.click("tr[data-lesion=T02]")
    revision = hand.revision
    hand.key("t")
    hand.saved(revision)
    assert "too small" in hand.page.inner_text("tr[data-lesion=T02]")
    hand.page.click("tr[data-lesion=T03]")
    revision = hand.revision
    hand.key("a")
    hand.saved(revision)
    assert "absent" in hand.page.inner_text("tr[data-lesion=T03]")
    timeline = hand.page.inner_text("tr[data-timepoint=FU1]")
    assert "PR" in timeline and "PD" not in timeline

    revision = hand.revision
    hand.key("n")
    hand.page.fill("dialog input[name=location]", "cervical lymph node")
    hand.page.check("dialog input[name=state][value=unequivocal]")
    hand.page.check("dialog input[name=nodal]")
    hand.page.select_option("dialog select[name=field]", "out")
    hand.shot("new-lesion")
    hand.page.click("dialog button[type=submit]")
    hand.page.wait_for_selector("dialog", state="detached")
    hand.saved(revision + 1)
    new = hand.page.locator("tr[data-lesion]", has_text="cervical lymph node")
    assert "new" in new.inner_text()
    assert "PD" in hand.page.inner_text("tr[data-timepoint=FU1]"), "an unequivocal new lesion is progression"
    hand.shot("new-lesion-added")

    assert sign.is_enabled(), hand.page.inner_text(".checks-panel")
    sign.click()
    hand.page.fill("dialog input[name=password]", "wrong")
    hand.page.click("dialog button[type=submit]")
    hand.page.wait_for_selector("dialog .problem:not(:empty)")
    hand.page.fill("dialog input[name=password]", site.passwords["reader1"])
    hand.shot("signing")
    hand.page.click("dialog button[type=submit]")
    hand.page.wait_for_selector(".signed")
    hand.settle()
    hand.shot("signed")
    assert hand.page.locator("button[data-command=sign]").count() == 0
    hand.key("x")
    assert "signed" in hand.page.text_content(".note")
    assert reader.read("FU1")["status"] == "signed"


def test_a_second_reader_sees_nothing_of_the_first(site, hand, truth):
    """Reader 1 has signed the baseline and begun FU1; reader 2 begins with an empty baseline."""
    site.caller("reader1").measure("FU1", "T01", truth)
    hand.open(site, "reader2", "BASELINE")
    hand.shot("second-reader")
    for name in ("T01", "T02", "T03"):
        row = hand.page.inner_text(f"tr[data-lesion={name}]")
        assert "to do" in row
        assert "38" not in row
    other = site.caller("reader2")
    body = other.http.get(f"reads/{SUBJECT}/BASELINE").text
    assert "reader1" not in body
    assert other.http.get(f"reads/{SUBJECT}/FU1").status_code == 403


def test_two_readers_differ_and_an_adjudicator_picks_one_read_whole(site, hand, truth):
    first, second = site.caller("reader1"), site.caller("reader2")
    for visit in ("FU1", "FU2"):
        first.read_whole(visit, truth)
    second.read_whole("BASELINE", truth)
    for visit in ("FU1", "FU2"):
        second.read_whole(visit, truth, scale=1.9)  # this reader sees no shrinking
    hand.sign_in(site, "adjudicator")
    hand.page.click(f"tr[data-item='{SUBJECT}'] a")
    hand.page.wait_for_selector("[data-read=A]")
    text = hand.page.inner_text("main")
    assert "reader1" not in text and "Demo reader" not in text
    assert "FU1" in hand.page.inner_text(".discordance")
    hand.shot("adjudication")
    hand.page.click("button[data-command=decide]")
    hand.page.check("dialog input[name=chosen][value=A]")
    hand.page.select_option("dialog select[name=cause]", index=1)
    hand.page.fill("dialog input[name=password]", site.passwords["adjudicator"])
    hand.page.click("dialog button[type=submit]")
    hand.page.wait_for_selector(".decision")
    hand.shot("adjudicated")
    assert "Read A was picked" in hand.page.inner_text(".decision")


def test_reloading_in_the_middle_of_a_read_loses_nothing(site, hand, truth):
    """A confirmed caliper, a proposal not yet confirmed, a state: all are there again, to the pixel."""
    reader = site.caller("reader1")
    hand.open(site, "reader1", "FU1")
    reader.measure("FU1", "T01", truth)
    reader.change("FU1", kind="state", lesion="T03", state="absent")
    line = truth["reader"]["FU1"]["T02"]["long_axis_mm"]
    prompt = {"kind": "line", "points_mm": line}
    reader.change("FU1", kind="prompt", lesion="T02", series_uid=reader.ct("FU1"), prompts=[prompt])
    hand.again()
    hand.page.click("tr[data-lesion=T02]")
    hand.settle()
    before, words = hand.shot("before-reload"), hand.page.inner_text("aside")
    hand.again()
    hand.page.click("tr[data-lesion=T02]")
    hand.settle()
    after = hand.shot("after-reload")
    assert hand.page.inner_text("aside") == words
    assert "proposal" in words and "absent" in words
    box = hand.page.locator("[data-pane=right]").bounding_box()
    x, y, w, h = (round(box[each]) for each in ("x", "y", "width", "height"))
    changed = np.abs(after[y : y + h, x : x + w] - before[y : y + h, x : x + w]).max(axis=-1) > 40
    assert changed.mean() < 0.002


def test_another_windows_change_is_never_written_over(site, new_hand):
    """Two windows of one reader: the second to save is told, sees the newest state, and nothing is lost."""
    one, other = new_hand(), new_hand()
    one.open(site, "reader1", "FU1")
    other.open(site, "reader1", "FU1")
    revision = one.revision
    one.page.click("tr[data-lesion=T03]")
    one.key("a")
    one.saved(revision)
    other.page.click("tr[data-lesion=T02]")
    other.key("t")
    other.until(lambda: "another window" in other.page.text_content(".note"))
    other.settle()
    assert "absent" in other.page.inner_text("tr[data-lesion=T03]")


def test_a_coordinator_assigns_and_an_auditor_verifies(site, new_hand):
    desk = new_hand()
    desk.sign_in(site, "coordinator")
    desk.page.wait_for_selector("tr[data-item]")
    assert "reader1" in desk.page.inner_text("main")
    desk.page.click("text=Assign a read...")
    desk.page.fill("dialog input[name=username]", "reader2")
    desk.page.fill("dialog input[name=due]", "2030-01-31")
    desk.page.click("dialog button[type=submit]")
    desk.page.wait_for_selector("text=2030-01-31")
    desk.shot("coordinator")

    auditor = new_hand()
    auditor.sign_in(site, "auditor")
    auditor.page.click("text=Verify the chain")
    auditor.until(lambda: "whole" in auditor.page.inner_text("[data-audit]"))
    auditor.shot("audit")
    assert '"whole":true' in auditor.page.inner_text("[data-audit]").replace(" ", "")
