"""The pictures of one subject's report: key images of the masks in use, check figures of the registrations."""

from collections.abc import Sequence

import numpy as np

from npcpit_imaging.app.features import MaskInUse, masks_in_use
from npcpit_imaging.app.proposals import open_mask_of
from npcpit_imaging.app.registrations import has_transform, visit_transform
from npcpit_imaging.app.series import find_series, open_series
from npcpit_imaging.app.study import Study
from npcpit_imaging.config.imaging import DisplaySettings
from npcpit_imaging.errors import InputError
from npcpit_imaging.registration.checkerboard import CheckPlane, check_planes
from npcpit_imaging.report.case_report import Panel
from npcpit_imaging.report.key_image import KeyImage, Window, key_image
from npcpit_imaging.store.lesions import StoredProposal, proposals_of
from npcpit_imaging.store.results import registration_between
from npcpit_imaging.study.timepoint import BASELINE
from npcpit_imaging.volume.transform import RigidTransform
from npcpit_imaging.volume.volume import Mask, Modality, Volume

DASH = "-"
LESION_IN_ORANGE = "orange: the baseline's lesion"
DISPLAY_PERCENTILES = (1.0, 99.5)


def key_image_panels(study: Study, subject: str, reader: str, points: Sequence[str]) -> list[Panel]:
    """A page per visit: the masks of one reader's reads and, marked as proposals, the same lesions on PET."""
    masks = [each for each in masks_in_use(study, subject) if each.read.reader == reader]
    panels = []
    for name in points:
        here = sorted((each for each in masks if each.read.timepoint == name), key=lambda each: not each.confirmed)
        pictures = [_picture(study, each) for each in here if each.proposal.measurement.slice_index_k is not None]
        if pictures:
            panels.append(Panel(title=f"{name}: key images", pictures=tuple(pictures)))
    return panels


def _picture(study: Study, used: MaskInUse) -> KeyImage:
    proposal = used.proposal
    volume = open_series(study, proposal.series_uid)
    return key_image(
        volume,
        open_mask_of(study, proposal, volume),
        proposal.measurement,
        window=window_of(study.imaging(volume.modality).display, volume),
        title=f"{proposal.lesion.lesion_id}  {volume.modality}" + ("" if used.confirmed else " (proposal)"),
        caption=_caption(used, slices=volume.geometry.shape_kji[0]),
        reversed_grey=volume.modality is Modality.PT,
    )


def _caption(used: MaskInUse, *, slices: int) -> str:
    """The numbers of the mask as drawn, those that the reader preferred, and the slice, 1-based."""
    found = used.proposal.measurement
    assert found.slice_index_k is not None, "an empty measurement has no key image"
    lines = [f"LD {found.longest_diameter_mm:.1f} mm   SA {found.short_axis_mm:.1f} mm   {found.volume_ml:.1f} mL"]
    if used.by_caliper:
        own = used.measurement
        lengths = [DASH if size is None else f"{size:.1f}" for size in (own.longest_diameter_mm, own.short_axis_mm)]
        lines = [f"mask (drawn): {lines[0]}", f"reader's own lines count: LD {lengths[0]} mm   SA {lengths[1]} mm"]
    where = f"slice {found.slice_index_k + 1} of {slices} at {found.slice_position_mm:.1f} mm"
    if used.proposal.uptake is not None:
        where += f"   SUVmax {used.proposal.uptake.suv_max:.1f}"
    return "\n".join([*lines, where])


def window_of(display: DisplaySettings, volume: Volume) -> Window:
    """The study's window of the modality; the image's own 1st and 99.5th percentile where it has none."""
    low, high = (float(value) for value in np.percentile(volume.voxels, DISPLAY_PERCENTILES))
    chosen_low = low if display.low is None else display.low
    chosen_high = high if display.high is None else display.high
    return Window(low=chosen_low, high=max(chosen_high, chosen_low + 1e-6))


def registration_panels(study: Study, subject: str, reader: str, points: Sequence[str]) -> list[Panel]:
    """Check figures of each follow-up and the baseline through the largest lesion, after registration and before."""
    used = [each for each in masks_in_use(study, subject) if each.read.reader == reader and each.confirmed]
    panels = []
    for name in points[1:]:
        here = [each.proposal for each in used if each.read.timepoint == name and each.modality == Modality.CT]
        here = [each for each in here if each.measurement.longest_diameter is not None]
        if here and has_transform(study, subject, name):
            panels.append(
                _registration_panel(study, subject, name, max(here, key=lambda each: each.measurement.volume_ml))
            )
    return panels


def _registration_panel(study: Study, subject: str, name: str, largest: StoredProposal) -> Panel:
    transform, uncertainty_mm = visit_transform(study, subject, name)
    fixed = open_series(study, find_series(study, subject, name, Modality.CT).uid)
    moving = open_series(study, find_series(study, subject, BASELINE, Modality.CT).uid)
    line = largest.measurement.longest_diameter
    assert line is not None, "chosen because it has one"
    centre = np.mean([line.start_mm, line.end_mm], axis=0)
    lesion = _at_baseline(study, subject, largest, moving)
    after = check_planes(fixed, moving, transform, centre, lesion=lesion)
    before = check_planes(fixed, moving, RigidTransform.identity(), centre, lesion=lesion)
    sure_mm = max(uncertainty_mm, study.plan("ct-ct").uncertainty_floor_mm)
    title = f"{name}: baseline CT laid on this visit through {largest.lesion.lesion_id}, +/- {sure_mm:.1f} mm"
    verdict, reasons = registration_verdict(study, subject, name)
    said = f"Registration: {verdict}. {reasons}".strip()
    said += f" Two independent registrations differ by at most {uncertainty_mm:.1f} mm at the lesions."
    return Panel(title=title, pictures=check_pictures(after, before), columns=4, note=said)


def check_pictures(after: Sequence[CheckPlane], before: Sequence[CheckPlane]) -> tuple[KeyImage, ...]:
    """A row as registered and a row as acquired: the three planes with edges, then the axial checkerboard."""
    rows = ((after, "registered"), (before, "as acquired"))
    return tuple(
        picture
        for planes, caption in rows
        for picture in (*(_overlay(plane, caption) for plane in planes), _board(planes[0], caption))
    )


def _at_baseline(study: Study, subject: str, lesion: StoredProposal, moving: Volume) -> Mask | None:
    """The lesion's newest mask on the baseline CT; None where it has none there."""
    with study.database.session() as session:
        known = [
            each
            for each in proposals_of(session, subject)
            if each.timepoint == BASELINE
            and each.lesion.tracking_uid == lesion.lesion.tracking_uid
            and each.series_uid == moving.series_uid
            and each.uptake is None
        ]
    return open_mask_of(study, known[-1], moving) if known else None


def registration_verdict(study: Study, subject: str, name: str) -> tuple[str, str]:
    """What was decided of a visit's registration to the baseline, and why; a dash where there is none."""
    try:
        fixed = find_series(study, subject, name, Modality.CT)
        moving = find_series(study, subject, BASELINE, Modality.CT)
    except InputError as error:
        return DASH, str(error)
    with study.database.session() as session:
        row = registration_between(session, fixed.uid, moving.uid)
    if row is None:
        return DASH, "not registered"
    reasons = row.quality.get("reasons") or []
    assert isinstance(reasons, list), "stored as a list"
    return row.verdict, "; ".join(str(reason) for reason in reasons)


def _overlay(plane: CheckPlane, caption: str) -> KeyImage:
    return KeyImage(
        title=f"{plane.name}, {caption}",
        caption="grey: baseline; blue: this visit's edges\n" + LESION_IN_ORANGE * bool(plane.lesion.any()),
        pixels=plane.moving.astype(float),
        mask=plane.lesion,
        calipers=(),
        pixel_aspect=1.0,
        edges=plane.edges,
    )


def _board(plane: CheckPlane, caption: str) -> KeyImage:
    return KeyImage(
        title=f"{plane.name} tiles, {caption}",
        caption=f"{plane.tile_mm:.0f} mm: this visit and the baseline in turn\n"
        + LESION_IN_ORANGE * bool(plane.lesion.any()),
        pixels=plane.board.astype(float),
        mask=plane.lesion,
        calipers=(),
        pixel_aspect=1.0,
    )
