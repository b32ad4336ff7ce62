"""What is said of a lesion without measuring it, and a whole read by the keyboard alone."""

import pytest

from npcpit_imaging.app.demo import SUBJECT


@pytest.mark.slow
def test_a_lesion_splits_and_another_merges(reading):
    """A fragment is a lesion of its own that names its parent; a merged lesion names what it merged into."""
    hand, reader = reading.hand, reading.reader
    revision = hand.revision
    hand.key("n")
    hand.page.fill("dialog input[name=location]", "retropharyngeal lymph node")
    hand.page.check("dialog input[name=state][value=equivocal]")
    hand.page.check("dialog input[name=nodal]")
    hand.page.select_option("dialog select[name=parent]", "T02")
    hand.page.click("dialog button[type=submit]")
    hand.saved(revision)
    (part,) = [each for each in reader.read("FU1")["lesions"] if each["parent"] == "T02"]
    assert part["role"] == "TARGET"
    assert part["own"] is True
    row = hand.page.inner_text(f"tr.chosen[data-lesion='{part['lesion']}']")
    assert "part of T02" in row

    hand.page.click("tr[data-lesion=T03]")
    hand.key("o")
    hand.page.check("dialog input[name=state][value=merged]")
    hand.page.click("dialog button[type=submit]")
    hand.page.wait_for_selector("dialog .problem:not(:empty)")
    assert "name the lesion it merged into" in hand.page.inner_text("dialog .problem")
    hand.page.select_option("dialog select[name=merged_into]", "T01")
    hand.shot("merged-form")
    revision = hand.revision
    hand.page.click("dialog button[type=submit]")
    hand.saved(revision)
    assert "merged into T01" in hand.page.inner_text(".card h2")
    assert "merged" in hand.page.inner_text("tr[data-lesion=T03]")
    hand.shot("split-and-merged")


@pytest.mark.slow
def test_a_whole_read_by_the_keyboard_alone(new_site, hand):
    """Sign in, measure three lesions, add a non-target, state it, endoscopy, sign, key images, unlock, sign again."""
    page = hand.page
    press, write = page.keyboard.press, page.keyboard.type
    page.goto(new_site.url)
    page.wait_for_selector("input[name=username]:focus")
    write("reader1")
    press("Tab")
    write(new_site.passwords["reader1"])
    press("Enter")
    page.wait_for_selector("tr[data-item] a")
    tab_to(hand, "tr[data-item] a:focus")
    press("Enter")
    page.wait_for_selector("[data-pane=right][data-loaded=all]")
    page.wait_for_selector("tr.chosen[data-lesion=T01]")
    hand.settle()

    line(hand, "long", "ArrowRight", 24)
    confirm(hand, "24.0")
    hand.key("Tab")
    line(hand, "long", "ArrowRight", 20)
    line(hand, "short", "ArrowDown", 16)
    confirm(hand, "16.0")
    hand.key("Tab")
    line(hand, "long", "ArrowRight", 10)
    confirm(hand, "10.0")

    revision = hand.revision
    hand.key("n")
    press("ArrowDown")  # from target to non-target
    press("Tab")
    press("Control+a")
    write("bone")
    press("Tab")
    write("clivus")
    hand.shot("keyboard-new-lesion")
    press("Enter")
    hand.saved(revision)
    added = page.inner_text("tr.chosen[data-lesion]")
    assert "clivus" in added and "non-target" in added
    revision = hand.revision
    hand.key("o")
    press("Space")  # the first state: present
    press("Enter")
    hand.saved(revision)
    assert "present" in page.inner_text("tr.chosen[data-lesion]")
    revision = hand.revision
    hand.key("d")
    press("Tab")
    write("eNON")
    press("Tab")
    write("seen at the left choana")
    press("Tab")
    hand.shot("keyboard-endoscopy")
    press("Enter")
    hand.saved(revision)
    assert "endoscopy: eNON-CR/NON-PD / seen at the left choana" in page.inner_text(".card")

    sign(hand, new_site)
    widths = "all => all.map(each => each.naturalWidth)"
    hand.until(lambda: min(page.eval_on_selector_all(".key-images img", widths)) > 100)
    assert page.locator(".key-images img").count() >= 3, "one for each measured lesion"
    hand.shot("keyboard-signed")

    for _ in range(8):
        if page.locator("button[data-command=unlock]:focus").count():
            break
        press("F6")
    press("Enter")
    page.wait_for_selector("dialog input[name=reason]:focus")
    write("T03 was measured on the wrong slice")
    hand.shot("keyboard-unlock")
    press("Enter")
    page.wait_for_selector("button[data-command=sign]")
    hand.settle()
    hand.key("Escape")
    for _ in range(5):
        if page.locator("tr.chosen[data-lesion=T03]").count():
            break
        hand.key("Tab")
    revision = hand.revision
    hand.key("u")
    hand.saved(revision)
    line(hand, "long", "ArrowDown", 14)
    confirm(hand, "14.0")
    sign(hand, new_site)
    signed = page.inner_text(".signed")
    assert "version 2" in signed
    assert "Reason of this version: T03 was measured on the wrong slice" in signed
    read = new_site.caller("reader1").read("BASELINE")
    assert [read["version"], read["status"]] == [2, "signed"]
    states = {each["lesion"]: each["state"] for each in read["lesions"]}
    assert states == {"NT01-R1": "present", "T01": "measured", "T02": "measured", "T03": "measured"}
    assert SUBJECT in page.inner_text(".bar")


def tab_to(hand, selector):
    for _ in range(30):
        if hand.page.locator(selector).count():
            return
        hand.page.keyboard.press("Tab")
    raise AssertionError(f"Tab never came to {selector}")


def line(hand, axis, key, voxels):
    """A caliper from the cursor over so many voxels of 1 mm: Space, arrows, Space."""
    hand.choose_tool("c", f"caliper: {axis} axis")
    hand.key(" ")
    hand.key(*[f"Shift+{key}"] * (voxels // 10), *[key] * (voxels % 10))
    revision = hand.revision
    hand.key(" ")
    hand.saved(revision)


def confirm(hand, says):
    revision = hand.revision
    hand.key("Enter")
    hand.saved(revision)
    assert says in hand.page.inner_text("tr.chosen[data-lesion] .now")
    assert hand.page.get_attribute(".card", "data-status") == "confirmed"


def sign(hand, site):
    hand.page.keyboard.press("Control+Enter")
    hand.page.wait_for_selector("dialog input[name=password]:focus")
    hand.page.keyboard.type(site.passwords["reader1"])
    hand.page.keyboard.press("Enter")
    hand.page.wait_for_selector(".signed .key-images img")
    hand.settle()
