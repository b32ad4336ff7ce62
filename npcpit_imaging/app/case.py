"""One subject's report, gathered from the store: responses, sizes, key images."""

from collections.abc import Mapping, Sequence

import numpy as np

import npcpit_imaging
from npcpit_imaging.app.features import accepted_masks
from npcpit_imaging.app.proposals import open_mask_of
from npcpit_imaging.app.registrations import has_transform, visit_transform
from npcpit_imaging.app.series import find_series, open_series
from npcpit_imaging.app.study import Study
from npcpit_imaging.config.imaging import DisplaySettings
from npcpit_imaging.registration.checkerboard import CheckPlane, check_planes
from npcpit_imaging.report.case_report import CaseReport, Panel, SizeCurve, Table
from npcpit_imaging.report.key_image import KeyImage, Window, key_image
from npcpit_imaging.store.images import timepoints
from npcpit_imaging.store.lesions import StoredProposal, lesions_of, proposals_of
from npcpit_imaging.store.reads import SignedRead, newest_reads
from npcpit_imaging.store.results import responses_of
from npcpit_imaging.study.lesion import Lesion, LesionRole, LesionState
from npcpit_imaging.study.timepoint import BASELINE
from npcpit_imaging.volume.transform import RigidTransform
from npcpit_imaging.volume.volume import Modality, Volume

DASH = "-"
DISPLAY_PERCENTILES = (1.0, 99.5)
STATE_WORDS = {
    LesionState.TOO_SMALL: "too small (5 mm)",
    LesionState.ABSENT: "absent",
    LesionState.NOT_ASSESSED: "not assessed",
}


def build_case_report(study: Study, subject: str) -> CaseReport:
    """Gather everything the report of one subject shows, for the first reader by name.

    Raises:
        NpcpitError: An image, a mask or a response cannot be used.
    """
    with study.database.session() as session:
        points = [point.name for point in timepoints(session, subject)]
        lesions = sorted(lesions_of(session, subject), key=lambda each: list(LesionRole).index(each.role))
        reads = newest_reads(session, subject)
        answers = responses_of(session, subject)
    reader = min(read.reader for read in reads)
    reads = [read for read in reads if read.reader == reader]
    per_visit = {str(row.timepoint): row.values for row in answers if row.reader == reader and row.level == "timepoint"}
    summary = next(row.values for row in answers if row.reader == reader and row.level == "subject")
    per_lesion = {str(row.lesion_id): row.values for row in answers if row.reader == reader and row.level == "lesion"}
    sizes = {lesion.lesion_id: [_size(lesion, read) for read in _by_visit(points, reads)] for lesion in lesions}
    labels = sorted({read.label for read in reads if read.label})
    return CaseReport(
        subject=subject,
        title=study.protocol.title,
        summary=(
            f"Reader {reader}    best overall response {summary['bor']}, confirmed {summary['confirmed_bor']}",
            f"Protocol digest {study.protocol.digest[:16]}    npcpit_imaging {npcpit_imaging.__version__}    "
            f"measured on each visit's own pixels",
        ),
        timepoints=tuple(points),
        sum_curve=SizeCurve(name="sum", sizes_mm=tuple(_sum(name, points, per_visit) for name in points)),
        lesion_curves=tuple(
            SizeCurve(name=lesion.lesion_id, sizes_mm=tuple(sizes[lesion.lesion_id])) for lesion in lesions
        ),
        tables=(_response_table(points, per_visit), _lesion_table(points, lesions, reads, per_lesion)),
        panels=(*_panels(study, subject, points), *_registration_panels(study, subject, points)),
        notes=tuple(labels),
    )


def _by_visit(points: Sequence[str], reads: Sequence[SignedRead]) -> list[SignedRead | None]:
    found = {read.timepoint: read for read in reads}
    return [found.get(name) for name in points]


def _size(lesion: Lesion, read: SignedRead | None) -> float | None:
    """Short axis of a node, longest diameter of anything else, 0 when absent; None when there is no number."""
    row = next((row for row in read.lesions if row.tracking_uid == lesion.tracking_uid), None) if read else None
    if row is None:
        return None
    if row.state == LesionState.ABSENT:
        return 0.0
    return row.short_axis_mm if lesion.nodal else row.longest_diameter_mm


def _sum(name: str, points: Sequence[str], per_visit: Mapping[str, Mapping[str, object]]) -> float | None:
    """A visit's sum; the baseline's is the one every follow-up was compared with."""
    values = per_visit.get(name)
    if values is None and name == points[0] and per_visit:
        return _number(next(iter(per_visit.values())).get("baseline_mm"))
    return None if values is None else _number(values.get("sum_mm"))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _response_table(points: Sequence[str], per_visit: Mapping[str, Mapping[str, object]]) -> Table:
    rows = []
    for name in points:
        values = per_visit.get(name, {})
        total = _sum(name, points, per_visit)
        cells = [_text(values.get(key)) for key in ("target", "non_target", "new", "overall")]
        rows.append((name, DASH if total is None else f"{total:.1f}", *cells, _text(values.get("rule"))))
    header = ("visit", "sum mm", "target", "non-target", "new lesion", "overall", "why")
    return Table(title="RECIST response", header=header, rows=tuple(rows), widths=(1.2, 0.8, 0.8, 1.2, 1.0, 0.9, 7.0))


def _text(value: object) -> str:
    return DASH if value is None or value == "" else str(value)


def _lesion_table(
    points: Sequence[str],
    lesions: Sequence[Lesion],
    reads: Sequence[SignedRead],
    per_lesion: Mapping[str, Mapping[str, object]],
) -> Table:
    rows = []
    for lesion in lesions:
        cells = [_cell(lesion, read) for read in _by_visit(points, reads)]
        best = _text(per_lesion.get(lesion.lesion_id, {}).get("best"))
        kind = "node, short axis" if lesion.nodal else "longest diameter"
        field = "irradiated" if lesion.irradiated else "not irradiated"
        rows.append((lesion.lesion_id, lesion.location, lesion.role.lower(), kind, field, *cells, best))
    header = ("lesion", "site", "role", "size is", "light", *points, "best")
    widths = (0.7, 2.4, 1.0, 1.5, 1.3, *(1.4 for _ in points), 1.4)
    return Table(title="Lesions, mm", header=header, rows=tuple(rows), widths=widths)


def _cell(lesion: Lesion, read: SignedRead | None) -> str:
    row = next((row for row in read.lesions if row.tracking_uid == lesion.tracking_uid), None) if read else None
    if row is None:
        return DASH
    if row.state != LesionState.MEASURED:
        return STATE_WORDS.get(LesionState(row.state), row.state)
    size = _size(lesion, read)
    return DASH if size is None else f"{size:.1f}"


def _panels(study: Study, subject: str, points: Sequence[str]) -> list[Panel]:
    masks = [each for name, each in accepted_masks(study).items() if name.split("/")[0] == subject]
    panels = []
    for name in points:
        here = sorted((each for each in masks if each.timepoint == name), key=lambda each: each.uptake is not None)
        pictures = [_picture(study, each) for each in here if each.measurement.slice_index_k is not None]
        if pictures:
            panels.append(Panel(title=f"{name}: key images", pictures=tuple(pictures)))
    return panels


def _picture(study: Study, proposal: StoredProposal) -> KeyImage:
    volume = open_series(study, proposal.series_uid)
    display = study.imaging(volume.modality).display
    found = proposal.measurement
    caption = (
        f"LD {found.longest_diameter_mm:.1f} mm   SA {found.short_axis_mm:.1f} mm   {found.volume_ml:.1f} mL\n"
        f"slice {found.slice_index_k} at {found.slice_position_mm:.1f} mm"
    )
    if proposal.uptake is not None:
        caption += f"   SUVmax {proposal.uptake.suv_max:.1f}"
    return key_image(
        volume,
        open_mask_of(study, proposal, volume),
        found,
        window=_window(display, volume),
        title=f"{proposal.lesion.lesion_id}  {volume.modality}",
        caption=caption,
        reversed_grey=volume.modality is Modality.PT,
    )


def _window(display: DisplaySettings, volume: Volume) -> Window:
    """The study's window of the modality; the image's own 1st and 99.5th percentile where it has none."""
    low, high = (float(value) for value in np.percentile(volume.voxels, DISPLAY_PERCENTILES))
    chosen_low = low if display.low is None else display.low
    chosen_high = high if display.high is None else display.high
    return Window(low=chosen_low, high=max(chosen_high, chosen_low + 1e-6))


def _registration_panels(study: Study, subject: str, points: Sequence[str]) -> list[Panel]:
    """Checkerboards of each follow-up and the baseline through the largest lesion, after registration and before."""
    with study.database.session() as session:
        found = [each for each in proposals_of(session, subject) if each.uptake is None]
    panels = []
    for name in points[1:]:
        here = [each for each in found if each.timepoint == name and each.measurement.longest_diameter is not None]
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
    after = check_planes(fixed, moving, transform, centre)
    before = check_planes(fixed, moving, RigidTransform.identity(), centre)
    pictures = [_board(plane, "registered") for plane in after] + [_board(plane, "as acquired") for plane in before]
    title = f"{name}: baseline CT laid on this visit through {largest.lesion.lesion_id}, +/- {uncertainty_mm:.1f} mm"
    return Panel(title=title, pictures=tuple(pictures), columns=3)


def _board(plane: CheckPlane, caption: str) -> KeyImage:
    return KeyImage(
        title=f"{plane.name}, {caption}",
        caption=f"tiles of {plane.tile_mm:.0f} mm: this visit and the baseline in turn",
        pixels=plane.board.astype(float),
        mask=np.zeros(plane.board.shape, bool),
        calipers=(),
        pixel_aspect=1.0,
    )
