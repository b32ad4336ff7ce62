"""Key images that leave the study: each accepted lesion's slice with what counts burnt in, as DICOM and as JPEG."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np

from npcpit_imaging.app.case_pictures import DASH, window_of
from npcpit_imaging.app.digest import digest_of
from npcpit_imaging.app.features import MaskInUse
from npcpit_imaging.app.proposals import open_mask_of
from npcpit_imaging.app.series import open_series
from npcpit_imaging.app.study import Study
from npcpit_imaging.dicom.key_image import BurntInKeyImage, write_key_image
from npcpit_imaging.report.burnt_in import burn_in, write_jpeg
from npcpit_imaging.report.key_image import KeyImage, key_image
from npcpit_imaging.study.caliper import Caliper
from npcpit_imaging.study.measurement import Measurement
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Modality, Volume

ENDING = "_KEY"
"""How a key image's file name ends, before its suffix."""

SHORT_DIGEST = 8
"""Characters that tell apart two codes which a file name cannot hold as they are."""


def write_key_images(
    study: Study, masks: Sequence[MaskInUse], stem: Path, *, sources: Sequence[Path], created: datetime, label: str
) -> list[tuple[Path, str]]:
    """Write ``STEM_LESION_KEY.dcm`` and ``.jpg`` of each lesion that a reader accepted on one series.

    What nobody confirmed gets none: a picture travels without the report that says so.

    Args:
        study: The study.
        masks: One read's masks on one series.
        stem: Folder and beginning of the files' names.
        sources: Files of the series.
        created: When the read was signed, in the study's own dates.
        label: What must be said wherever the read is shown; burnt in too, for a JPEG has no other place.

    Raises:
        NpcpitError: The image or a mask cannot be used, or a caliper lies in none of its slices.
    """
    written = []
    shown = [each for each in masks if each.confirmed and each.measurement.longest_diameter is not None]
    for number, used in enumerate(shown, start=1):
        caliper = used.measurement.longest_diameter
        assert caliper is not None, "chosen because it has one"
        picture = lesion_picture(study, used, label=label)
        lesion = used.proposal.lesion
        pixels = burn_in(picture)
        name = f"{stem.name}_{in_file_name(lesion.lesion_id)}{ENDING}"
        capture, jpeg = stem.with_name(f"{name}.dcm"), stem.with_name(f"{name}.jpg")
        write_key_image(
            capture,
            BurntInKeyImage(lesion=lesion, pixels=pixels, caliper=caliper, text=picture.caption),
            sources=sources,
            timepoint=used.read.timepoint,
            number=number,
            created=created,
            label=label,
        )
        write_jpeg(pixels, jpeg)
        written += [(capture, "key image"), (jpeg, "JPEG")]
    return written


def lesion_picture(study: Study, used: MaskInUse, *, label: str) -> KeyImage:
    """The slice that was measured, with the mask's outline, the calipers that count, and the read's label."""
    volume = open_series(study, used.proposal.series_uid)
    measured = _where_it_counts(used.measurement, volume.geometry)
    read = used.read
    return key_image(
        volume,
        open_mask_of(study, used.proposal, volume),
        measured,
        window=window_of(study.imaging(volume.modality).display, volume),
        title=f"{read.subject}  {read.timepoint}  {used.proposal.lesion.lesion_id}  {volume.modality}",
        caption=_caption(used, measured, volume, label),
        reversed_grey=volume.modality is Modality.PT,
    )


def _where_it_counts(measurement: Measurement, geometry: Geometry) -> Measurement:
    """The slice of the caliper that counts: a reader's own may lie in another than the mask's longest diameter."""
    caliper = measurement.longest_diameter
    assert caliper is not None, "a lesion without a diameter has no key image"
    k = int(np.clip(np.rint(_index_k(caliper, geometry)), 0, geometry.shape_kji[0] - 1))
    return replace(
        measurement,
        slice_index_k=k,
        slice_position_mm=float(np.dot(geometry.to_mm((k, 0, 0)), geometry.normal)),
    )


def _index_k(caliper: Caliper, geometry: Geometry) -> float:
    return float(geometry.to_index([caliper.start_mm, caliper.end_mm])[:, 0].mean())


def _caption(used: MaskInUse, measured: Measurement, volume: Volume, label: str) -> str:
    """The numbers that count, whose they are, the slice (1-based), and what must be said of the read."""
    long_mm, short_mm = (
        DASH if size is None else f"{size:.1f} mm" for size in (measured.longest_diameter_mm, measured.short_axis_mm)
    )
    whose = "reader's own lines" if used.by_caliper else "lines of the mask that the reader accepted"
    k = measured.slice_index_k
    assert k is not None, "set by _where_it_counts"
    where = f"slice {k + 1} of {volume.geometry.shape_kji[0]} at {measured.slice_position_mm:.1f} mm"
    lines = [f"LD {long_mm}   SA {short_mm}   ({whose})", f"mask {measured.volume_ml:.1f} mL   {where}"]
    return "\n".join([*lines, label] if label else lines)


def in_file_name(code: str) -> str:
    """A code as part of a file name; one with other characters gets its digest, so that no two meet.

    Example:
        >>> in_file_name("R-1"), in_file_name("T/1")
        ('R-1', 'T-1-6d27b250')
    """
    kept = "".join(letter if letter.isascii() and (letter.isalnum() or letter == "-") else "-" for letter in code)
    return kept if kept == code else f"{kept}-{digest_of(code)[:SHORT_DIGEST]}"
