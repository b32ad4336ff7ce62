"""A key image as a PNG with contour, calipers and numbers burnt in."""

import io
import threading

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from npcpit_imaging.report.case_report import draw_key_image
from npcpit_imaging.report.key_image import KeyImage

SIZE_INCHES = (4.2, 4.8)
DPI = 120

_DRAWING = threading.Lock()
"""Matplotlib's fonts and mathtext are shared between threads."""


def key_image_png(picture: KeyImage) -> bytes:
    """Draw a key image and return the PNG file's content."""
    with _DRAWING:
        figure = Figure(figsize=SIZE_INCHES, dpi=DPI, facecolor="white", layout="constrained")
        FigureCanvasAgg(figure)
        draw_key_image(figure.add_subplot(), picture)
        content = io.BytesIO()
        figure.savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()
