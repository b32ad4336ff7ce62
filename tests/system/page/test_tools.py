"""The tools of the reader's hand: prompts of every kind, masks drawn slice by slice, the earlier caliper as a ghost."""

import math
from typing import Any

import numpy as np
import pytest

DRAWN = np.array([255, 180, 84])
PROPOSED = np.array([255, 107, 107])


def pixels_like(picture: Any, colour: Any, *, within: int = 30) -> int:
    return int((np.abs(picture - colour).max(axis=-1) <= within).sum())


def stroke_of(kind: str, places: list[tuple[float, float]], middle: tuple[float, float]) -> list[tuple[float, float]]:
    """A gesture on a lesion whose four ends lie at `places`: around it, on it, or along it."""
    xs, ys = [place[0] for place in places], [place[1] for place in places]
    if kind == "box":
        return [(min(xs) - 4, min(ys) - 4), (max(xs) + 4, max(ys) + 4)]
    if kind == "click":
        return [middle]
    (x0, y0), (x1, y1) = places[:2]
    along = [(x0 + part * (x1 - x0), y0 + part * (y1 - y0)) for part in (0.2, 0.8)]
    return [along[0], middle, along[1]]


@pytest.mark.parametrize("kind", ["box", "click", "scribble"])
def test_a_box_a_click_and_a_scribble_each_propose_the_lesion(reading, truth, kind):
    """The proposal is about the lesion's true middle and of its size (a scribble's larger); none is confirmed."""
    hand = reading.hand
    lesion = truth["lesion"]["T01"]["at"]["FU1"]
    hand.to_slice_of(lesion["center_mm"])
    ends = [reading.place(point) for point in (*lesion["longest_axis_mm"], *lesion["short_axis_ends_mm"])]
    middle = reading.place(lesion["center_mm"])
    hand.choose_tool("s", f"segment: {kind}")
    before = hand.around(hand.shot("before-prompt"), middle, 60)
    revision = hand.revision
    hand.drag(*stroke_of(kind, ends, middle))
    hand.saved(revision)
    hand.page.mouse.move(middle[0] + 250, middle[1] + 200)
    hand.settle()
    after = hand.around(hand.shot(f"prompt-{kind}"), middle, 60)
    assert pixels_like(after, PROPOSED) > pixels_like(before, PROPOSED) + 60, "outlined in red"
    assert hand.page.get_attribute(".card", "data-status") == "proposal"
    assert "*" in hand.page.inner_text("tr[data-lesion=T01] .now")
    mask = reading.reader.lesion("FU1", "T01")["mask"]
    assert mask["origin"] == {"click": "point"}.get(kind, kind)
    measured = mask["measurement"]
    most = 2.5 if kind == "scribble" else 1.5
    assert 0.5 < measured["longest_diameter_mm"] / lesion["longest_diameter_mm"] < most
    centre = np.mean([measured["longest"][0], measured["longest"][1]], axis=0)
    assert np.linalg.norm(centre - lesion["center_mm"]) < 10


def test_discs_in_two_slices_are_filled_between_and_erased_again(reading):
    """Areas and volumes of discs of 5 mm by hand: two slices, three after filling, less a disc of 2 mm."""
    hand, reader = reading.hand, reading.reader
    hand.key("=", "=", "=", "=", "b")
    hand.choose_tool("]", "brush 5.0 mm")
    thickness = reading.geometry["spacing_mm"][2]

    def volume_ml() -> float:
        return reader.lesion("FU1", "T01")["mask"]["measurement"]["volume_ml"]

    def act(key: str) -> None:
        revision = hand.revision
        hand.key(key)
        hand.saved(revision)

    act(" ")
    hand.key("PageUp", "PageUp")
    place = reading.place(hand.focus_mm("right"))
    revision = hand.revision
    hand.drag(place, (place[0] + 1, place[1]))
    hand.saved(revision)
    disc_ml = math.pi * 5**2 * thickness / 1000
    assert volume_ml() == pytest.approx(2 * disc_ml, rel=0.1)
    hand.key("PageDown")
    hand.page.mouse.move(place[0] + 250, place[1] + 200)
    hand.settle()
    gap = hand.around(hand.shot("gap"), place, 50)
    assert pixels_like(gap, DRAWN) == 0, "nothing is drawn between"
    act("i")
    filled = hand.around(hand.shot("filled"), place, 50)
    assert pixels_like(filled, DRAWN) > 60
    full_ml = volume_ml()
    assert full_ml == pytest.approx(3 * disc_ml, rel=0.1)
    hand.key("e")
    hand.choose_tool("[", "erase 2.0 mm")
    act(" ")
    erased = hand.around(hand.shot("erased"), place, 50)
    assert pixels_like(erased, DRAWN) > pixels_like(filled, DRAWN) + 20, "the hole has an edge of its own"
    assert full_ml - volume_ml() == pytest.approx(math.pi * 2**2 * thickness / 1000, rel=0.35)


def test_the_earlier_caliper_is_a_dotted_ghost_that_a_key_hides(reading):
    hand = reading.hand
    ghost = reading.reader.lesion("FU1", "T01")["ghost"]
    hand.page.mouse.move(700, 700)
    hand.key("Home", "g")
    without = hand.shot("ghost-off")
    hand.key("g")
    shown = hand.shot("ghost")
    ends = [np.array(reading.place(ghost[end])) for end in ("start_mm", "end_mm")]
    away = [ends[0] + part * (ends[1] - ends[0]) for part in np.linspace(0, 1, 41)]

    def yellow(picture: Any) -> int:
        """How many places along the line have a yellow pixel."""
        spots = [hand.around(picture, tuple(spot), 2).reshape(-1, 3) for spot in away]
        return sum(bool(((spot[:, 0] - spot[:, 2]) > 50).any()) for spot in spots)

    assert yellow(without) <= 2
    assert yellow(shown) >= 20, "dots along the line where the baseline's caliper would lie"


def test_without_webgl_the_page_says_so_plainly_and_still_shows_images(opened, hand_without_webgl):
    hand = hand_without_webgl
    hand.open(opened.site, "reader1", "FU1")
    assert "WebGL is missing in this browser" in hand.page.text_content(".note")
    picture = hand.shot("no-webgl")
    box = hand.page.locator("[data-pane=right]").bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert hand.around(picture, middle, 120).std() > 30, "an image is there"
    for key in ("PageDown", "PageDown", "PageUp", "Tab", "PageDown", "Tab"):  # each overtakes the one before
        hand.page.keyboard.press(key)
    hand.settle()
    assert hand.around(hand.shot("no-webgl-later"), middle, 120).std() > 30, "it did not get stuck"
