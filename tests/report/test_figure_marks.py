"""Marks of courses and changes: nothing that happened is hidden by another mark, and every word can be read."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from npcpit_imaging.report.course_figures import course_figures
from npcpit_imaging.report.figure_change import APART, LABELLED, waterfall
from npcpit_imaging.report.figure_course import TREATMENT_COLOUR, Swimmer, swimmer
from npcpit_imaging.report.figure_style import RESPONSE_COLOURS, styled


def drawn(figure: Figure) -> FigureCanvasAgg:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return canvas


def legend_of(figure: Figure) -> list[str]:
    legend = figure.axes[0].get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def test_an_event_that_ended_in_death_leaves_the_mark_of_death_to_be_seen():
    """Grade 5 stands on the day of death, in the gap above the bar: its circle reaches less than half of the cross."""
    course = [
        Swimmer(name=name, best="SD", end=100.0, visits=(), treatments=(0.0,), death=100.0, events=((100.0, 5),))
        for name in ("S1", "S2", "S3")
    ]
    with styled():
        figure = swimmer(course, title="Patients", unit="patient")
        canvas = drawn(figure)
        axes = figure.axes[0]
        circles = [text.get_bbox_patch().get_window_extent(canvas.get_renderer()) for text in axes.texts]
        crosses = next(line for line in axes.lines if line.get_marker() == "P").get_xydata()
    middles = axes.transData.transform(crosses)[:, 1]
    assert len(circles) == 3
    for circle, middle, above in zip(circles, middles, np.append(np.inf, middles[:-1]), strict=True):
        assert middle < circle.y0  # pixels count upwards: the circle ends above the middle of its own cross
        assert circle.y1 < above  # and below the middle of the bar above


def test_another_therapy_and_severe_events_stand_in_a_patients_course():
    """S1: another therapy from day 60 on, an event of grade 4 on day 3; its grade 2 is not drawn."""
    empty = pd.DataFrame(columns=["subject", "lesion", "day", "response", "value_mm", "cycle"])
    subject = {"subject": "S1", "bor": "SD", "last_contact_day": 90.0, "new_therapy_day": 60.0}
    tables = {
        "subjects": pd.DataFrame([subject]),
        "subject_timepoints": empty,
        "treatments": pd.DataFrame({"subject": ["S1"], "lesion": ["T01"], "cycle": [1], "day": [0.0]}),
        "lesions": pd.DataFrame(columns=["subject", "lesion", "irradiated", "best", "baseline_mm"]),
        "lesion_timepoints": empty,
        "adverse_events": pd.DataFrame({"subject": ["S1", "S1"], "grade": [4, 2], "start_day": [3.0, 5.0]}),
    }
    with styled():
        name, caption, figure = next(course_figures(tables))
        axes = figure.axes[0]
    assert name == "swimmer_subjects" and "adverse events of grade 3 or more" in caption
    assert [text.get_text() for text in axes.texts] == ["4"]
    assert [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "v"] == [60.0]
    assert "other anticancer therapy" in legend_of(figure) and "adverse event, its grade" in legend_of(figure)


def bars(values: list[float]) -> pd.DataFrame:
    names = [f"NPC-{number:04} T01" for number in range(len(values))]
    return pd.DataFrame({"unit": names, "best_change_percent": values, "at_progression": False})


@pytest.mark.parametrize("count", [2, LABELLED])
def test_names_below_bars_and_numbers_of_cut_bars_do_not_touch_each_other(count):
    with styled():
        figure = waterfall(bars([150.0] * count), {}, title="Lesions", unit="lesion", left_out=0)
        canvas = drawn(figure)
        axes = figure.axes[0]
        for texts in ([*axes.get_xticklabels()], [*axes.texts]):
            boxes = [text.get_window_extent(canvas.get_renderer()) for text in texts]
            assert len(boxes) == count
            assert all(left.x1 <= right.x0 for left, right in pairwise(boxes))
            assert all(box.y1 <= figure.bbox.y1 for box in boxes)


@pytest.mark.parametrize("count", [LABELLED + 1, APART + 1])
def test_bars_too_many_to_be_named_have_no_names_and_a_mark_where_they_are_cut(count):
    with styled():
        figure = waterfall(bars([150.0, *[-10.0] * (count - 1)]), {}, title="Lesions", unit="lesion", left_out=0)
    axes = figure.axes[0]
    assert not axes.get_xticklabels() and not axes.texts
    assert [line.get_xdata().tolist() for line in axes.lines if line.get_marker() == "^"] == [[0]]
    assert "▲ above +100 %" in legend_of(figure)


DICHROMATS = {
    "protanope": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranope": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
}
"""What linear red, green and blue become (Machado, Oliveira and Fernandes 2009, severity 1)."""


@pytest.mark.parametrize("eye", DICHROMATS)
def test_light_and_progression_the_two_upright_strokes_differ_in_colour_for_every_eye(eye):
    """Green against vermilion were 0.37 apart for a protanope, purple is 0.75; white and black are 1.73."""
    light, progression = (np.array(to_rgb(each)) for each in (TREATMENT_COLOUR, RESPONSE_COLOURS["PD"]))
    seen = [(np.clip(np.array(DICHROMATS[eye]) @ each**2.2, 0, 1)) ** (1 / 2.2) for each in (light, progression)]
    assert np.linalg.norm(seen[0] - seen[1]) > 0.6
