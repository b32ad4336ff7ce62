"""Tests of which courses of a large study are drawn, and that its lines are drawn once for both files."""

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from npcpit_imaging.report import course_figures as drawn
from npcpit_imaging.report.figure_course import MOST
from npcpit_imaging.report.figure_style import ManyLines


def tables(patients: int) -> dict[str, pd.DataFrame]:
    """Patient n is last seen on day n, two on each day; every third died ten days later; a lesion each."""
    names = [f"S{n:03d}" for n in range(patients)]
    days = [float(n // 2) for n in range(patients)]
    points = pd.DataFrame({"subject": names, "lesion": "T01", "day": days, "response": "PR", "value_mm": 9.0})
    died = [day + 10 if n % 3 == 0 else None for n, day in enumerate(days)]
    return {
        "subjects": pd.DataFrame({"subject": names, "bor": "PR", "death_day": died, "last_contact_day": None}),
        "lesions": pd.DataFrame(
            {"subject": names, "lesion": "T01", "best": "PR", "irradiated": True, "baseline_mm": 20.0}
        ),
        "subject_timepoints": points.drop(columns="lesion"),
        "lesion_timepoints": points,
        "treatments": pd.DataFrame({"subject": names, "lesion": "T01", "cycle": 1, "day": 0.0}),
    }


def shown(figure: Figure) -> tuple[str, list[str]]:
    """Title and names of the rows of a figure."""
    axes = figure.axes[0]
    return axes.get_title(), [label.get_text() for label in axes.get_yticklabels()]


def test_of_many_units_the_longest_are_drawn_and_the_title_says_of_how_many():
    """Of 250 patients two were last seen on day 0; who died is known ten days longer."""
    patients, lesions, sizes = (figure for _, _, figure in drawn.course_figures(tables(250)))
    ends = {f"S{n:03d}": n // 2 + (10 if n % 3 == 0 else 0) for n in range(250)}
    order = sorted((name for name in ends if ends[name] > 0), key=lambda name: (-ends[name], name))
    assert shown(patients) == (f"Patients; the longest {MOST} of {len(order)}", order[:MOST])
    assert len(order) == 249  # S000 died on day 10
    last = sorted((f"S{n:03d} T01" for n in range(250)), key=lambda name: (-(int(name[1:4]) // 2), name))
    assert shown(lesions) == (f"Irradiated lesions; the longest {MOST} of 250", last[:MOST])
    title, rows = shown(sizes)
    assert title.endswith(f"; the first {MOST} of 250")
    assert rows == [f"S{n:03d} T01" for n in range(MOST)]


def test_without_a_course_the_figures_say_so():
    """Empty tables make figures without axes."""
    empty = {name: table.iloc[:0] for name, table in tables(3).items()}
    assert [figure.axes[0].get_title() for _, _, figure in drawn.course_figures(empty)] == [
        "Patients",
        "Irradiated lesions",
        "Size of each irradiated lesion",
    ]


def test_many_lines_are_a_picture_of_what_lines_are():
    """On white the picture's pixels are those of the lines within rounding, the second time as well."""
    draw = np.random.default_rng(2)
    lines = [np.column_stack([np.arange(5.0), draw.uniform(0, 1, 5)]) for _ in range(30)]
    pixels = []
    for kind in (LineCollection, ManyLines):
        figure = Figure(figsize=(3, 2), dpi=100)
        axes = figure.subplots()
        axes.set(xlim=(0, 4), ylim=(0, 1))
        axes.add_collection(kind(lines, colors="#005b96", alpha=0.35, linewidths=0.8))
        for _ in range(2):
            canvas = FigureCanvasAgg(figure)
            canvas.draw()
            pixels.append(np.asarray(canvas.buffer_rgba()).astype(int))
    apart = np.abs(pixels[0] - pixels[2]).max(axis=-1)
    assert (pixels[0].min(axis=-1) < 200).mean() > 0.1  # there is something to compare
    assert np.percentile(apart, 99) <= 8
    np.testing.assert_array_equal(pixels[2], pixels[3])
