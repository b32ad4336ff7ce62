"""What the reader sees and draws: linked sides, prompts, brush, calipers, fusion; in pixels and in millimetres."""

import re
from typing import Any

import httpx
import numpy as np
import pytest

CONFIRMED = np.array([126, 231, 135])
PROPOSED = np.array([255, 107, 107])
DRAWN = np.array([255, 180, 84])
"""Colours of outlines and calipers by what they are (`overlay/drawing.ts`)."""


@pytest.fixture(scope="module", params=["", "webgl"], ids=["processor", "webgl"])
def draw(request: pytest.FixtureRequest) -> str:
    """Everything here is seen twice: drawn by the processor and by WebGL."""
    return str(request.param)


def pixels_like(picture: Any, colour: Any, *, within: int = 30) -> int:
    return int((np.abs(picture - colour).max(axis=-1) <= within).sum())


def number(text: str, name: str) -> float:
    found = re.search(rf"{name}\s+([0-9.]+)", text)
    assert found, text
    return float(found.group(1))


def test_scrolling_one_side_shows_the_same_anatomy_on_the_other_through_the_rotated_registration(reading, truth):
    """Frames of reference differ by a known rotation; the left side must show the point that the truth says."""
    hand = reading.hand
    matrix = np.array(truth["timepoint"]["FU1"]["series"]["CT"]["baseline_ct_to_series"])
    spacing = truth["timepoint"]["BASELINE"]["series"]["CT"]["spacing_mm"][2]
    seen = []
    for _ in range(4):
        hand.wheel(300)
        right, left = hand.focus_mm("right"), hand.focus_mm("left")
        expected = (np.linalg.inv(matrix) @ [*right, 1.0])[:3]
        assert np.linalg.norm(left - expected) <= spacing / 2 + 2.0, "half a slice, and 2 mm of registration"
        seen.append(right[2])
    assert np.all(np.diff(seen) < -5), "the wheel goes towards the feet, three 3 mm slices a turn"

    picture = hand.shot("linked-scroll")
    caller = reading.reader
    uid = caller.ct("BASELINE")
    geometry = caller.get(f"series/{uid}")
    k = int(hand.page.get_attribute("[data-pane=left]", "data-plane"))
    raw = caller.http.get(f"series/{uid}/voxels?first={k}&count=1").content
    slice_hu = np.frombuffer(raw, "<i2").reshape(geometry["shape_kji"][1:]) * geometry["scale"]["slope"]
    slice_hu = slice_hu + geometry["scale"]["intercept"]
    window = geometry["windows"][0]
    grey = np.clip((slice_hu - window["low"]) / (window["high"] - window["low"]), 0, 1) * 255
    asked = [(i, j) for i in range(60, 200, 4) for j in range(60, 200, 4)]
    origin, axes = np.array(geometry["origin_mm"]), np.array(geometry["direction"]) * np.array(geometry["spacing_mm"])
    place = hand.placing("left", geometry)  # asked of the page once, not for each of a thousand points
    places = [place(origin + axes @ [i, j, k]) for i, j in asked]
    shown = [picture[round(y), round(x)].mean() for x, y in places]
    match = np.corrcoef(shown, [grey[j, i] for i, j in asked])[0, 1]
    assert match > 0.97, "the left side shows that very slice of the baseline, pixel by pixel"


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_voxel_is_drawn_where_what_is_laid_on_it_says_that_it_lies(reading, side):
    """Zoomed in, the picture matches the voxels best where the page places them: not half a voxel beside."""
    hand, caller = reading.hand, reading.reader
    hand.key("2", *["+"] * 6)
    hand.page.add_style_tag(content="canvas.overlay, .corner { visibility: hidden }")
    geometry = caller.get(f"series/{caller.ct('BASELINE' if side == 'left' else 'FU1')}")
    k = int(hand.page.get_attribute(f"[data-pane={side}]", "data-plane"))
    raw = caller.http.get(f"series/{geometry['uid']}/voxels?first={k}&count=1").content
    slice_hu = np.frombuffer(raw, "<i2").reshape(geometry["shape_kji"][1:]).astype(float)
    picture = hand.shot(f"voxels-{side}").mean(axis=-1)
    placing = hand.page.get_attribute(f"[data-pane={side}]", "data-placing")
    xa, xb, x0, ya, yb, y0 = (float(each) for each in placing.split(","))
    box = hand.page.locator(f"[data-pane={side}]").bounding_box()
    j, i = np.nonzero(np.abs(slice_hu - 50) < 120)  # within the window

    def match(beside: tuple[float, float]) -> float:
        a, b = i + beside[0], j + beside[1]
        x, y = xa * a + xb * b + x0, ya * a + yb * b + y0
        seen = (x > 20) & (y > 20) & (x < box["width"] - 20) & (y < box["height"] - 20)
        shown = picture[np.round(y + box["y"]).astype(int)[seen], np.round(x + box["x"]).astype(int)[seen]]
        assert seen.sum() > 100
        return float(np.corrcoef(shown, slice_hu[j, i][seen])[0, 1])

    places = [(di, dj) for di in (-0.5, 0.0, 0.5) for dj in (-0.5, 0.0, 0.5)]
    assert max(places, key=match) == (0.0, 0.0)


def test_alt_wheel_moves_one_side_and_the_page_says_how_far_it_is_off_the_link(reading):
    hand = reading.hand
    left = hand.focus_mm("left")
    hand.wheel(400, held="Alt")
    assert np.array_equal(hand.focus_mm("left"), left)
    assert "off the link by 12 mm" in hand.page.inner_text("[data-side=right] .top-right")


def test_a_line_becomes_a_dashed_proposal_and_enter_confirms_it(reading, truth):
    """Tab, drag, Enter: a target in three inputs; the line drawn on the true axis measures the true diameter."""
    hand = reading.hand
    start, end = truth["reader"]["FU1"]["T01"]["long_axis_mm"]
    hand.to_slice_of(start)
    hand.key("s")
    places = [reading.place(point) for point in (start, end)]
    revision = hand.revision
    hand.drag(*places)
    hand.saved(revision)
    middle = tuple(np.mean(places, axis=0))
    picture = hand.around(hand.shot("proposal"), middle, 60)
    assert pixels_like(picture, PROPOSED) > 100, "outline and calipers of a proposal are red"
    assert pixels_like(picture, CONFIRMED) == 0
    card = hand.page.inner_text(".card")
    assert "proposal" in card.lower()
    true_mm = truth["lesion"]["T01"]["at"]["FU1"]["longest_diameter_mm"]
    assert number(card, "Longest diameter, mm") == pytest.approx(true_mm, abs=1.5)
    assert "*" in hand.page.inner_text("tr[data-lesion=T01]"), "not confirmed yet"

    hand.key("Enter")
    hand.page.wait_for_selector(".card[data-status=confirmed]")
    hand.settle()
    picture = hand.around(hand.shot("confirmed"), middle, 60)
    assert pixels_like(picture, CONFIRMED) > 100
    assert pixels_like(picture, PROPOSED) == 0
    assert "*" not in hand.page.inner_text("tr[data-lesion=T01]")
    timeline = hand.page.inner_text("tr[data-timepoint=FU1]")
    assert "T02 + T03" in timeline, "an incomplete sum is said as incomplete"


def test_a_brush_stroke_is_one_step_of_undo(reading):
    hand = reading.hand
    hand.key("Tab", "b", "]", "]")
    place = reading.place(hand.focus_mm("right"))
    before = pixels_like(hand.around(hand.shot("brush-before"), place, 50), DRAWN)
    revision = hand.revision
    hand.drag(place, (place[0] + 25, place[1] + 12))
    hand.saved(revision)
    hand.page.mouse.move(place[0] + 300, place[1] + 200)
    hand.settle()
    after = pixels_like(hand.around(hand.shot("brush"), place, 50), DRAWN)
    assert after > before + 80
    painted = number(hand.page.inner_text(".card"), "Volume, mL")
    revision = hand.revision
    hand.key("Control+z")
    hand.saved(revision)
    assert pixels_like(hand.around(hand.shot("brush-undone"), place, 50), DRAWN) == before
    revision = hand.revision
    hand.key("Control+y")
    hand.saved(revision)
    assert number(hand.page.inner_text(".card"), "Volume, mL") == painted
    assert abs(pixels_like(hand.around(hand.shot("brush-redone"), place, 50), DRAWN) - after) <= 5


def test_an_end_of_a_caliper_is_dragged(reading, truth):
    hand, reader = reading.hand, reading.reader
    start, end = truth["reader"]["FU1"]["T01"]["long_axis_mm"]
    reader.change("FU1", kind="caliper", lesion="T01", series_uid=reader.ct("FU1"), axis="long", line_mm=[start, end])
    hand.again()
    direction = (np.array(end) - start) / np.linalg.norm(np.array(end) - start)
    longer = np.array(end) + 6 * direction
    revision = hand.revision
    hand.drag(reading.place(end), reading.place(longer))
    hand.saved(revision)
    hand.shot("caliper")
    entry = reader.lesion("FU1", "T01")
    expected = float(np.linalg.norm(longer - start))
    assert entry["caliper"]["length_mm"] == pytest.approx(expected, abs=0.5), "within a screen pixel"
    assert number(hand.page.inner_text(".card"), "Longest diameter, mm") == pytest.approx(expected, abs=0.5)
    place = reading.place(entry["caliper"]["end_mm"])
    assert pixels_like(hand.around(hand.shot("caliper"), place, 7), DRAWN) > 8, "the handle is where it was let go"


def test_pet_is_laid_over_ct_and_glows_where_the_lesion_is(reading, truth):
    hand = reading.hand
    hand.key("Home")
    lesion = truth["lesion"]["T01"]["at"]["FU1"]["center_mm"]
    muscle = np.array(lesion) + np.array([45.0, 0.0, 0.0])
    spots = [reading.place(point) for point in (lesion, muscle)]

    def redness(picture: Any, spot: Any) -> float:
        part = hand.around(picture, spot, 5)
        return float((part[..., 0] - part[..., 2]).mean())

    before = hand.shot("fusion-off")
    hand.key("g", "f")
    hand.page.wait_for_selector("[data-fusion]")
    after = hand.shot("fusion")
    assert redness(after, spots[0]) > redness(before, spots[0]) + 25, "SUV 5 adds red to the CT"
    assert redness(after, spots[0]) > redness(after, spots[1]) + 15
    assert "another frame of reference" in hand.page.get_attribute("[data-fusion]", "title")
    assert hand.page.locator(".reading > .bar").bounding_box()["height"] < 50, "one line, so that no image moves"


def test_orthogonal_planes_cut_at_the_cursor(reading, truth):
    hand = reading.hand
    hand.key("Home", "m")
    hand.page.wait_for_selector("[data-pane=right-coronal][data-focus]")
    hand.settle()
    picture = hand.shot("mpr")
    for cut in ("coronal", "sagittal"):
        box = hand.page.locator(f"[data-pane=right-{cut}]").bounding_box()
        x, y, w, h = (round(box[each]) for each in ("x", "y", "width", "height"))
        assert picture[y : y + h, x : x + w].std() > 30, f"the {cut} plane is drawn"
        assert np.abs(hand.focus_mm(f"right-{cut}") - hand.focus_mm("right")).max() < 1.0


def test_windows_by_digit_change_both_sides(reading):
    hand = reading.hand
    before = hand.shot("window-1")
    hand.key("4")
    after = hand.shot("window-4")
    for side in ("left", "right"):
        box = hand.page.locator(f"[data-pane={side}]").bounding_box()
        x, y = round(box["x"] + box["width"] / 2), round(box["y"] + box["height"] / 2)
        assert np.abs(hand.around(after, (x, y), 80) - hand.around(before, (x, y), 80)).mean() > 10


def test_images_of_a_later_visit_are_refused_by_the_server(reading):
    """No look-ahead: not by the page, and not by asking the server for the pixels."""
    hand = reading.hand
    assert "FU2 locked" in hand.page.inner_text(".bar")
    reader = reading.reader
    with pytest.raises(httpx.HTTPStatusError, match="403"):
        reader.get("reads/NPC-0001/FU2")


@pytest.mark.slow  # once failed under load by a cause that was not found: docs/reading-page.md
def test_a_slice_that_does_not_come_is_never_shown_as_another(reading):
    """No other slice stays on the screen, nothing is drawn there, no tool works, and the page says why."""
    page, hand = reading.hand.page, reading.hand
    lowest = "**/voxels?first=0&*"
    drawn = """canvas => canvas.getContext("2d")
        .getImageData(0, 0, canvas.width, canvas.height).data.some(each => each > 0)"""
    picture, seen = "[data-pane=right] div.layer", "layer => getComputedStyle(layer).visibility"
    overlay, message = "[data-pane=right] canvas.overlay", "[data-side=right] .pane-message"

    def to_plane(key, met):
        for _ in range(100):
            if met(int(page.get_attribute("[data-pane=right]", "data-plane"))):
                return
            hand.key(key)
        raise AssertionError("no such plane")

    page.route(lowest, lambda route: route.abort())
    try:
        page.reload()
        page.wait_for_selector("tr.chosen[data-lesion]")
        hand.settle()
        to_plane("PageDown", lambda plane: plane == 12)
        assert page.eval_on_selector(overlay, drawn), "the cross at least"
        hand.key("PageDown")
        assert "cannot be reached" in page.inner_text(message)
        assert not page.eval_on_selector(overlay, drawn)
        assert page.eval_on_selector(picture, seen) == "hidden"
        hand.choose_tool("c", "caliper: long axis")
        revision = hand.revision
        box = page.locator("[data-pane=right]").bounding_box()
        hand.drag((box["x"] + 200, box["y"] + 200), (box["x"] + 260, box["y"] + 200))
        hand.settle()
        assert "on its way" in page.inner_text(".note")
        assert hand.revision == revision
    finally:
        page.unroute(lowest)
    to_plane("PageUp", lambda plane: plane == 12)
    hand.key("PageDown")
    assert page.locator(message).is_hidden()
    assert page.eval_on_selector(overlay, drawn)
    assert page.eval_on_selector(picture, seen) == "visible"
