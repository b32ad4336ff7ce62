"""Fit a standard scale of MR intensities on the images of a table of cases, and write it as settings."""

import json
from pathlib import Path

from npcpit_imaging.app.images import open_image
from npcpit_imaging.app.radiomics_cases import read_cases
from npcpit_imaging.config.radiomics import Normalise, NyulScale
from npcpit_imaging.errors import InputError
from npcpit_imaging.radiomics.normalise import body_mask, normalise
from npcpit_imaging.radiomics.nyul import fit, landmarks
from npcpit_imaging.volume.volume import Modality


def fit_scale(table: Path, output: Path, *, n4: bool = True) -> NyulScale:
    """Fit a scale on every image of a table, each once, and write the table of settings that applies it.

    Args:
        table: A table of cases; only its images count.
        output: TOML with `[radiomics.normalise]`, to stand in an imaging settings file in that table's place.
        n4: Correct bias fields first, here and where the scale is applied.

    Raises:
        InputError: An image cannot be read, or the file cannot be written.
        RadiomicsError: An image has no body, or there are too few images.
    """
    images = sorted({table.parent / row.text("image") for row in read_cases(table).values()})
    found = []
    for path in images:
        volume = normalise(open_image(path, modality=Modality.MR), Normalise(n4=n4))
        found.append((volume.digest, landmarks(volume, body_mask(volume))))
    reference = dict(found)  # an image that is there twice under two names counts once
    scale = fit(list(reference.values()))
    text = _toml(scale, n4=n4, images=len(reference))
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{output.name}: cannot be written ({error.strerror or 'unknown reason'})") from error
    return scale


def _toml(scale: NyulScale, *, n4: bool, images: int) -> str:
    return (
        f"# Standard scale fitted on {images} images.\n"
        f'[radiomics.normalise]\nmethod = "nyul"\nn4 = {json.dumps(n4)}\n\n'
        f"[radiomics.normalise.nyul]\npercentiles = {list(scale.percentiles)}\nlandmarks = {list(scale.landmarks)}\n"
    )
