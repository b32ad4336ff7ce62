"""No words of a figure lie on others, however long they are in a study's own tables."""

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg

from npcpit_imaging.report.figure_forest import rate_forest
from npcpit_imaging.report.figure_style import styled

LONGEST = "patient: any irradiated lesion CR or PR, unconfirmed, all"


def test_the_longest_rate_has_room_for_its_words_and_its_counts():
    row = {"words": LONGEST, "count": 9999, "denominator": 9999, "estimate": 1.0, "lower": 1.0, "upper": 1.0}
    with styled():
        figure = rate_forest(pd.DataFrame([{**row, "primary": False}]), title="Response rates")
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        names = figure.axes[0]
        _, words, counts = (text.get_window_extent(canvas.get_renderer()) for text in names.texts)
    assert words.x1 < counts.x0, (words, counts)
