"""The irradiated field on the page: where it was planned, where it was carried to, what the plan says of a lesion."""

from typing import Any

import numpy as np

from npcpit_imaging.app.demo import SUBJECT

RADIUS_MM = 10.0


def plan_light_into(site: Any, middle_mm: Any) -> None:
    """A cylindrical fibre upright through a point of the baseline's CT: a disc of 10 mm in its slice."""
    x, y, z = middle_mm
    row = f'{SUBJECT},1,BASELINE,cylindrical,"{x},{y},{z + 12}","0,0,1",24,{RADIUS_MM}'
    text = f"subject,cycle,timepoint,kind,tip_mm,axis,length_mm,radius_mm\n{row}\n"
    (site.folder / "tables" / "fields.csv").write_text(text, encoding="utf-8")


def blue_at(hand: Any, picture: Any, places: list[tuple[float, float]]) -> int:
    """At how many places a pixel nearby is blue."""
    spots = [hand.around(picture, place, 3).reshape(-1, 3) for place in places]
    return sum(bool((spot[:, 2] - spot[:, 0] > 45).any()) for spot in spots)


def test_the_field_is_drawn_where_it_was_planned_and_carried_over_with_a_margin(site, hand, truth):
    """A circle of 10 mm on the baseline; on the follow-up one within its margin; T01 is in it, T02 is out."""
    middle = np.array(truth["lesion"]["T01"]["at"]["BASELINE"]["center_mm"])
    plan_light_into(site, middle)
    reader = site.caller("reader1")
    line = {"kind": "line", "points_mm": truth["reader"]["FU1"]["T01"]["long_axis_mm"]}
    reader.change("FU1", kind="prompt", lesion="T01", series_uid=reader.ct("FU1"), prompts=[line])
    reader.measure("FU1", "T02", truth)
    hand.open(site, "reader1", "FU1")
    hand.page.wait_for_selector("[data-planned]")
    hand.settle()
    assert hand.page.get_attribute("[data-planned]", "data-planned") == "in"
    said = hand.page.inner_text("[data-planned]")
    assert "of the mask inside" in said and "edge +/-" in said
    geometry = reader.get(f"series/{reader.ct('BASELINE')}")
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = [middle + RADIUS_MM * np.array([np.cos(each), np.sin(each), 0]) for each in angles]
    shown = hand.shot("field")
    assert blue_at(hand, shown, [hand.on_screen("left", point, geometry) for point in ring]) >= 20
    hand.page.mouse.move(700, 700)
    hand.key("g")
    hidden = hand.shot("field-off")
    assert blue_at(hand, hidden, [hand.on_screen("left", point, geometry) for point in ring]) <= 2
    hand.page.click("tr[data-lesion=T02]")
    hand.settle()
    assert hand.page.get_attribute("[data-planned]", "data-planned") == "out"
