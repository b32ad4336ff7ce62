"""Print truth.toml: what a reader of the synthetic study should find, from the scenario and never from voxels."""

from collections.abc import Iterable, Iterator

import numpy as np
import scenario
from lesions import Ellipsoid, length_mm, lesion_tissue
from scenario import DIFFUSERS, LESIONS, RADIUS_MM, VISITS, Series, Visit
from shapes import Array
from write import CODINGS, acquisition_time, dose_at_start_bq, modality_of

HEADER = """\
# What is true of the synthetic nasopharynx study beside this file. Made by make_sample.py; do not edit.
#
# Points and lengths are mm in DICOM patient space (LPS: x to the left, y to posterior, z to superior) of the series
# that is named. Matrices are 4x4, row by row, and map a point of the BASELINE CT's space to the named series' space.
# Diameters are those of the largest axial section of the lesion as it lies in the diagnostic CT of that date: exact
# for the ellipsoid, over all planes and not only over the slices that happened to be taken.
# Nothing here is a patient: names, dates, doses and the reader are fictitious.
format_version = 1
"""

ABOUT_LESIONS = """
# One table per lesion, and under `at` one per time point. state: measured, absent (gone, or not there yet).
# size_mm is what RECIST sums (short axis of a node, else longest diameter). longest_axis_mm, short_axis_ends_mm:
# ends of the two axes in that date's CT space. mean_hu is the tissue's CT number; suv its uniform uptake, unblurred."""

ABOUT_FIELD = """
# The irradiated field: cylinders of radius_mm around diffusers, in BASELINE CT space. The lit part runs from tip_mm
# length_mm along direction (a unit vector from the tip back towards the fibre); axis is its opposite, out of the
# tip. covered_fraction: share of each lesion's volume inside, as it first appears (N01: where it will grow)."""

ABOUT_RESPONSES = """
# RECIST 1.1 responses. There are no non-target lesions (NA). The targets are PR at FU2 too, but the new lesion N01
# makes it PD. Best overall response: PR without confirmation; where confirmation is required, the unconfirmed PR
# counts as SD, given a minimum SD interval of 42 days."""

ABOUT_READER = """
# A SCRIPTED reader, not a person: lines as a careful reader would draw them on the CT of the date, in the slice
# nearest to the lesion's centre: the true ends there plus seeded noise of about 0.7 mm (less along the line than
# across, and less for axes under 15 mm, where a reader zooms in). long_axis_mm and short_axis_mm are the prompt,
# slice_z_mm the slice's position."""

EXPECTED = {
    "FU1": {"target": "PR", "non_target": "NA", "new": False, "overall": "PR"},
    "FU2": {"target": "PR", "non_target": "NA", "new": True, "overall": "PD"},
}
"""RECIST 1.1 time-point responses by hand (Eisenhauer 2009, table 1)."""

LESION_RESPONSES = {
    "T01": {"FU1": "PR", "FU2": "PR", "best": "PR"},
    "T02": {"FU1": "SD", "FU2": "SD", "best": "SD"},
    "T03": {"FU1": "PR", "FU2": "CR", "best": "CR"},
}
"""Per-lesion responses by hand: -30 % for PR, absent for CR, a node by its short axis."""


def truth_toml() -> str:
    """Return the whole of truth.toml."""
    parts = (_subject(), _time_points(), _lesions(), _field(), _expected(), _reader())
    return HEADER + "\n".join(line for part in parts for line in part) + "\n"


def _subject() -> Iterator[str]:
    yield f"seed = {scenario.SEED}"
    yield "\n[subject]"
    yield f'patient_id = "{scenario.PATIENT_ID}"'
    yield f'patient_name = "{scenario.PATIENT_NAME}"'
    yield f'sex = "{scenario.SEX}"'
    yield f"birth_date = {scenario.BIRTH_DATE}"
    yield f"height_m = {scenario.HEIGHT_M}"
    yield f"treatment_date = {scenario.TREATMENT_DATE}  # photoimmunotherapy, cycle 1"


def _time_points() -> Iterator[str]:
    yield "\n# One table per time point; weight_kg and the injected activity are those in the PET header."
    for visit in VISITS:
        yield f"\n[timepoint.{visit.name}]"
        yield f"date = {visit.day}"
        yield f"weight_kg = {visit.weight_kg}"
        yield f"injected_bq = {visit.dose_bq:.0f}"
        yield f"activity_at_pet_start_bq = {dose_at_start_bq(visit):.1f}"
        yield "# SUV body weight = BQML x suv_per_bqml"
        yield f"suv_per_bqml = {visit.weight_kg * 1000.0 / dose_at_start_bq(visit):.9g}"
        for series in visit.series:
            yield from _series(visit, series)


def _series(visit: Visit, series: Series) -> Iterator[str]:
    grid = series.grid
    yield f"\n[timepoint.{visit.name}.series.{series.folder}]"
    yield f'folder = "{visit.name}/{series.folder}"'
    yield f'modality = "{modality_of(series)}"'
    yield f'series_uid = "{scenario.series_uid(visit, series)}"'
    yield f'study_uid = "{scenario.study_uid(visit, series)}"'
    yield f'frame_of_reference_uid = "{scenario.frame_uid(visit, series)}"'
    yield f'transfer_syntax_uid = "{CODINGS[series.coding]}"'
    yield f'acquisition_time = "{acquisition_time(visit, series)}"'
    yield f"shape_kji = {list(grid.shape_kji)}"
    yield f"spacing_mm = {_numbers([series.spacing_mm[0], *series.spacing_mm], 3)}  # i, j, k"
    yield f"origin_mm = {_numbers(grid.affine[:3, 3], 3)}"
    yield "baseline_ct_to_series = ["
    for row in scenario.between(visit.poses[series.frame].matrix):
        yield f"  {_numbers(row, 8)},"
    yield "]"


def _lesions() -> Iterator[str]:
    yield ABOUT_LESIONS
    for lesion, facts in LESIONS.items():
        yield f"\n[lesion.{lesion}]"
        for key, value in facts.items():
            yield f"{key} = {_value(value)}"
        for visit in VISITS:
            yield f"\n[lesion.{lesion}.at.{visit.name}]"
            yield from _seen(lesion, visit)


def _seen(lesion: str, visit: Visit) -> Iterator[str]:
    if lesion not in visit.lesions:
        yield 'state = "absent"'
        yield "size_mm = 0.0"
        return
    body = visit.ellipsoids()[lesion]
    in_ct = body.moved(visit.poses["CT"].matrix)
    longest, short = in_ct.section(float(in_ct.center[2]))
    yield 'state = "measured"'
    yield f"size_mm = {size_mm(lesion, visit):.2f}"
    yield f"longest_diameter_mm = {length_mm(longest):.2f}"
    yield f"short_axis_mm = {length_mm(short):.2f}"
    yield f"volume_ml = {body.volume_ml:.4f}"
    yield f"center_mm = {_numbers(in_ct.center, 3)}  # CT space of this date"
    yield f"longest_axis_mm = {_ends(longest)}"
    yield f"short_axis_ends_mm = {_ends(short)}"
    yield f"half_extent_mm = {_numbers(in_ct.reach, 3)}  # half of the upright bounding box, CT space"
    yield f"mean_hu = {lesion_tissue(lesion, 0.0).hu}"
    yield f"suv = {visit.lesions[lesion].suv}"
    yield f"center_pet_mm = {_numbers(body.moved(visit.poses['PET'].matrix).center, 3)}  # PET space of this date"
    yield f"center_mr_mm = {_numbers(body.moved(visit.poses['MR'].matrix).center, 3)}  # MR space of this date"


def size_mm(lesion: str, visit: Visit) -> float:
    """Return what RECIST sums of a lesion at a visit: short axis of a node, else longest diameter, 0 when absent."""
    if lesion not in visit.lesions:
        return 0.0
    seen = visit.lesions[lesion]
    return seen.short_mm if LESIONS[lesion]["nodal"] else seen.longest_mm


def _field() -> Iterator[str]:
    motion = VISITS[0].poses["CT"].matrix
    yield ABOUT_FIELD
    yield "\n[irradiated_field]"
    yield f"radius_mm = {RADIUS_MM}"
    shares = ", ".join(f"{name} = {part:.2f}" for name, part in covered_fractions().items())
    yield f"covered_fraction = {{ {shares} }}"
    for diffuser in DIFFUSERS:
        direction = np.array(diffuser.direction) / np.linalg.norm(diffuser.direction)
        yield "\n[[irradiated_field.diffuser]]"
        yield f'lesion = "{diffuser.lesion}"'
        yield f"tip_mm = {_numbers(motion[:3, :3] @ diffuser.tip + motion[:3, 3], 3)}"
        yield f"direction = {_numbers(motion[:3, :3] @ direction, 8)}"
        yield f"axis = {_numbers(-motion[:3, :3] @ direction, 8)}"
        yield f"length_mm = {diffuser.length_mm}"
        yield f"radius_mm = {RADIUS_MM}"


def covered_fractions() -> dict[str, float]:
    """Return the share of each lesion, as it first appears, that lies in the irradiated field."""
    first: dict[str, Ellipsoid] = {}
    for visit in VISITS:
        first = visit.ellipsoids() | first
    return {name: _covered(first[name]) for name in sorted(first)}


def _covered(body: Ellipsoid) -> float:
    steps = np.linspace(-1, 1, 41)
    points = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(-1, 3) * body.reach
    points = points[np.einsum("na,ab,nb->n", points, body.form, points) <= 1.0] + body.center
    hit = np.zeros(len(points), bool)
    for diffuser in DIFFUSERS:
        axis = np.array(diffuser.direction) / np.linalg.norm(diffuser.direction)
        along = (points - diffuser.tip) @ axis
        away = np.linalg.norm(points - diffuser.tip - along[:, None] * axis, axis=1)
        hit |= (along >= 0) & (along <= diffuser.length_mm) & (away <= RADIUS_MM)
    return float(hit.mean())


def _expected() -> Iterator[str]:
    yield ABOUT_RESPONSES
    yield "\n[expected]"
    yield 'best_overall_response_unconfirmed = "PR"'
    yield 'best_overall_response_confirmed = "SD"'
    sums = {visit.name: sum(size_mm(name, visit) for name in ("T01", "T02", "T03")) for visit in VISITS}
    yield f"\n[expected.timepoint.BASELINE]\nsum_mm = {sums['BASELINE']:.1f}"
    for name, responses in EXPECTED.items():
        yield f"\n[expected.timepoint.{name}]"
        yield from (f"{key} = {_value(value)}" for key, value in responses.items())
        yield f"sum_mm = {sums[name]:.1f}"
        yield f"change_from_baseline_percent = {100 * (sums[name] / sums['BASELINE'] - 1):.1f}"
    yield "\n# Per-lesion responses."
    for lesion, answers in LESION_RESPONSES.items():
        yield f"\n[expected.lesion.{lesion}]"
        yield from (f"{key} = {_value(value)}" for key, value in answers.items())


def _reader() -> Iterator[str]:
    yield ABOUT_READER
    yield "\n[reader]"
    yield 'name = "SCRIPTED"'
    yield "scripted = true"
    for visit in VISITS:
        for lesion in visit.lesions:
            yield f"\n[reader.{visit.name}.{lesion}]"
            yield from _lines(visit, lesion)


def _lines(visit: Visit, lesion: str) -> Iterator[str]:
    grid = visit.of("CT").grid
    body = visit.ellipsoids()[lesion].moved(visit.poses["CT"].matrix)
    step = grid.affine[2, 2]
    z = grid.affine[2, 3] + step * round((body.center[2] - grid.affine[2, 3]) / step)
    rng = scenario.stream(visit.name, lesion, "reader")
    longest, short = (_by_hand(ends, rng) for ends in body.section(float(z)))
    yield f"slice_z_mm = {z:.3f}"
    yield f"long_axis_mm = {_ends(longest)}"
    yield f"short_axis_mm = {_ends(short)}"


STEADY_MM = 15.0
"""Below this length a reader zooms in, and the hand's noise shrinks with the lesion."""


def _by_hand(ends: Array, rng: np.random.RandomState) -> Array:
    along = (ends[1] - ends[0]) / length_mm(ends)
    across = np.array([-along[1], along[0], 0.0])
    noise = np.clip(rng.standard_normal((2, 2)) * [0.3, 0.6], [-0.4, -1.0], [0.4, 1.0])
    noise *= min(1.0, length_mm(ends) / STEADY_MM)
    return ends + noise[:, :1] * along + noise[:, 1:] * across


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f'"{value}"'


def _numbers(values: Iterable[float], digits: int) -> str:
    return "[" + ", ".join(f"{float(value) + 0.0:.{digits}f}" for value in values) + "]"


def _ends(ends: Array) -> str:
    return "[" + ", ".join(_numbers(point, 3) for point in ends) + "]"
