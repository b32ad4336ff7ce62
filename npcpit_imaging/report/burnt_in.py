"""A key image as plain pixels: contour, calipers and numbers burnt in, for viewers that show nothing else."""

from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imsave
from numpy.typing import NDArray

from npcpit_imaging.report.case_report import MUTED, NOTICE, draw_key_image
from npcpit_imaging.report.key_image import KeyImage

DPI = 100
SIZE_PIXELS = (800, 920)
"""Width and height: a square picture, its title above, its numbers below."""

JPEG_QUALITY = 92
"""High enough that a one-pixel caliper keeps its colour."""


def burn_in(picture: KeyImage) -> NDArray[np.uint8]:
    """Draw a key image.

    Args:
        picture: The slice with its contour and calipers.

    Returns:
        `(rows, columns, 3)` uint8, RGB; the same picture gives the same pixels.
    """
    width, height = SIZE_PIXELS
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
    draw_key_image(figure.add_axes((0.03, 0.12, 0.94, 0.84)), picture)
    figure.text(0.03, 0.012, NOTICE, fontsize=6.5, color=MUTED)
    drawn = BytesIO()
    figure.savefig(drawn, format="rgba", dpi=DPI)
    return np.frombuffer(drawn.getvalue(), np.uint8).reshape(height, width, 4)[..., :3].copy()


def write_jpeg(pixels: NDArray[np.uint8], path: Path) -> None:
    """Write burnt-in pixels ``(rows, columns, 3)`` as a JPEG file; it names nobody and holds no date."""
    imsave(path, pixels, format="jpeg", dpi=DPI, pil_kwargs={"quality": JPEG_QUALITY, "subsampling": 0})
