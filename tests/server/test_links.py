"""Points carried between visits through stored registrations, rigid and deformable; the irradiated field."""

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from npcpit_imaging.app.registrations import _sha256
from npcpit_imaging.app.study import Study
from npcpit_imaging.registration.files import write_transform
from npcpit_imaging.store.digests import series_digest
from npcpit_imaging.store.results import put_registration
from npcpit_imaging.store.schema import RegistrationRow
from npcpit_imaging.volume.deformable import DeformableTransform
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.transform import RigidTransform
from tests.server.conftest import SHAPE, SUBJECT, Person, Served, read_and_sign

Enter = Callable[[str], Person]

SHIFT = RigidTransform(rotation=np.eye(3), translation_mm=np.array([6.0, 0.0, 0.0]))
"""FU1's point (x, y, z) is the baseline's (x + 6, y, z)."""

LATTICE = Geometry(shape_kji=(7, 10, 10), origin_mm=(-45.0, -45.0, -10.0), spacing_mm=(12.0, 12.0, 10.0))
"""Control points 12 mm apart around the whole image."""


def store(study: Study, fixed: str, moving: str, transform: RigidTransform | DeformableTransform) -> None:
    """Put a registration on record as the pipeline does, with a doubt of 1.5 mm."""
    path = study.derived / SUBJECT / f"{fixed[-12:]}.tfm"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_transform(transform, path)
    with study.database.session() as session:
        row = RegistrationRow(
            fixed_series_uid=fixed,
            moving_series_uid=moving,
            path=path.relative_to(study.folder).as_posix(),
            verdict="accept",
            quality={"reasons": [], "numbers": {}, "uncertainty_mm": 1.5, "transform_sha256": _sha256(path)},
            inputs={uid: series_digest(session, uid) for uid in (fixed, moving)},
            key=path.name,
            created=study.now(),
        )
        put_registration(session, row)


@pytest.fixture
def reader(served: Served, enter: Enter) -> Person:
    """A reader to whom BASELINE and FU1 are open."""
    person = enter("reader1")
    read_and_sign(person, "BASELINE", served.series["BASELINE"])
    return person


def bent() -> DeformableTransform:
    """A displacement of up to about 4 mm, seeded, then the shift."""
    coefficients = np.random.default_rng(3).uniform(-4, 4, (3, *LATTICE.shape_kji))
    return DeformableTransform(rigid=SHIFT, lattice=LATTICE, coefficients_mm=coefficients)


def carry(reader: Person, served: Served, one: str, other: str, points: object, visit: str = "FU1") -> dict[str, Any]:
    """Ask for points of one visit's CT in another's."""
    body = {"from_series_uid": served.series[one], "to_series_uid": served.series[other], "points_mm": points}
    answer = reader.post(f"/api/links/{SUBJECT}/{visit}/points", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_rigid_link_has_a_matrix_and_carries_points_both_ways(served: Served, reader: Person):
    store(served.study, served.series["FU1"], served.series["BASELINE"], SHIFT)
    (link,) = reader.get(f"/api/links/{SUBJECT}/FU1").json()["links"]
    assert (link["kind"], link["usable"], link["matrix"][0]) == ("rigid", True, [1.0, 0.0, 0.0, 6.0])
    there = carry(reader, served, "FU1", "BASELINE", [[1, 2, 3], [4, 5, 6]])
    assert there == {"points_mm": [[7.0, 2.0, 3.0], [10.0, 5.0, 6.0]], "uncertainty_mm": 1.5, "registered": True}
    assert carry(reader, served, "BASELINE", "FU1", [[7, 2, 3]])["points_mm"] == [[1.0, 2.0, 3.0]]
    same = carry(reader, served, "FU1", "FU1", [[7, 2, 3]])
    assert same == {"points_mm": [[7.0, 2.0, 3.0]], "uncertainty_mm": 0.0, "registered": False}


def test_a_deformable_link_has_no_matrix_and_its_points_are_the_stored_transforms_both_ways(
    served: Served, reader: Person
):
    """Expected: what the transform itself says of each point, and back again to a hundredth of a millimetre."""
    transform = bent()
    store(served.study, served.series["FU1"], served.series["BASELINE"], transform)
    (link,) = reader.get(f"/api/links/{SUBJECT}/FU1").json()["links"]
    assert (link["kind"], link["usable"], link["matrix"], link["problem"]) == ("deformable", True, None, "")
    points = np.random.default_rng(5).uniform((-25, -25, 3), (25, 25, 25), (200, 3))
    expected = transform.map(points)
    assert np.abs(expected - points - SHIFT.translation_mm).max() > 1, "it bends"
    there = carry(reader, served, "FU1", "BASELINE", points.tolist())
    assert np.array(there["points_mm"]) == pytest.approx(expected, abs=1e-6)
    back = carry(reader, served, "BASELINE", "FU1", there["points_mm"])
    assert np.array(back["points_mm"]) == pytest.approx(points, abs=0.01)
    body = {"to": "BASELINE", "points_mm": points.tolist()}
    mapped = reader.post(f"/api/links/{SUBJECT}/FU1/map", json=body).json()
    assert np.array(mapped["points_mm"]) == pytest.approx(expected, abs=1e-6)
    body = {"to": "BASELINE", "points_mm": mapped["points_mm"], "inverse": True}
    found = reader.post(f"/api/links/{SUBJECT}/FU1/map", json=body).json()["points_mm"]
    assert np.array(found) == pytest.approx(points, abs=0.01)


def test_a_point_where_the_deformation_folds_has_none_and_the_others_have(served: Served, reader: Person):
    """A displacement of -2 z folds space: no inverse there; far outside the lattice there is one."""
    coefficients = np.zeros((3, *LATTICE.shape_kji))
    coefficients[0, :, :, 4:6] = (-60.0, 60.0)
    folded = DeformableTransform(rigid=SHIFT, lattice=LATTICE, coefficients_mm=coefficients)
    store(served.study, served.series["FU1"], served.series["BASELINE"], folded)
    found = carry(reader, served, "BASELINE", "FU1", [[14.0, 0.0, 15.0], [306.0, 0.0, 15.0]])["points_mm"]
    assert found[0] is None
    assert found[1] == pytest.approx([300.0, 0.0, 15.0])


def test_later_visits_and_other_people_s_images_are_no_way_for_points(served: Served, reader: Person, enter: Enter):
    store(served.study, served.series["FU1"], served.series["BASELINE"], SHIFT)
    body = {"from_series_uid": served.series["FU1"], "to_series_uid": served.series["FU2"], "points_mm": [[0, 0, 0]]}
    answer = reader.post(f"/api/links/{SUBJECT}/FU1/points", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "locked-timepoint")
    other = enter("stranger").post(f"/api/links/{SUBJECT}/FU1/points", json=body)
    assert (other.status_code, other.json()["error"]["code"]) == (403, "forbidden")
    unknown = {**body, "to_series_uid": "1.2.3"}
    assert reader.post(f"/api/links/{SUBJECT}/FU1/points", json=unknown).status_code == 404


def test_without_a_registration_no_point_is_carried_over(served: Served, reader: Person):
    body = {"from_series_uid": served.series["FU1"], "to_series_uid": served.series["BASELINE"], "points_mm": [[0] * 3]}
    answer = reader.post(f"/api/links/{SUBJECT}/FU1/points", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "refused")
    assert "not registered" in answer.json()["error"]["message"]


# ---- the irradiated field


def voxels(mask: dict[str, Any]) -> np.ndarray:
    """A mask as it travels, on its whole grid."""
    whole = np.zeros(mask["shape_kji"], bool)
    count = int(np.prod(mask["size_kji"]))
    bits = np.unpackbits(np.frombuffer(base64.b64decode(mask["bits"]), np.uint8), count=count, bitorder="little")
    window = tuple(slice(low, low + size) for low, size in zip(mask["start_kji"], mask["size_kji"], strict=True))
    whole[window] = bits.reshape(mask["size_kji"])
    return whole


def plan_a_fibre(study: Study) -> None:
    """On the baseline: 20 mm of fibre along z, from z = 5 to 25 at x = y = 0.5, lighting 8 mm around."""
    (study.tables / "fields.csv").write_text(
        "subject,cycle,timepoint,kind,tip_mm,axis,length_mm,radius_mm,start_radius_mm,file,roi\n"
        f'{SUBJECT},1,BASELINE,cylindrical,"0.5,0.5,25","0,0,1",20,8,,,\n'
    )


def disc(centre_mm: float, radius_mm: float) -> np.ndarray:
    """Pixels of a slice, 1 mm apart from -31.5, whose centres lie within a radius of (centre, 0.5)."""
    y, x = np.indices(SHAPE[1:]) - 31.5
    return np.hypot(x - centre_mm, y - 0.5) <= radius_mm


def test_the_field_on_the_visit_it_was_planned_on_has_no_margin(served: Served, enter: Enter):
    plan_a_fibre(served.study)
    reader = enter("reader1")
    url = f"/api/reads/{SUBJECT}/BASELINE/field"
    found = reader.get(url, params={"series_uid": served.series["BASELINE"]}).json()
    assert (found["margin"], found["margin_mm"], found["planned_on"], found["cycles"]) == (None, 0.0, ["BASELINE"], [1])
    inside = voxels(found["in"])
    expected = np.zeros(SHAPE, bool)
    expected[2:11] = disc(0.5, 8.0)  # slices 2.5 mm apart from z = 0: z = 5 to 25
    assert np.array_equal(inside, expected)


def test_the_field_is_carried_to_a_follow_up_with_the_margin_of_the_plan(served: Served, reader: Person):
    """FU1 lies 6 mm further: x = 0.5 of the baseline is -5.5 there. The plan's margin, 4 mm, is more than 1.5 mm."""
    plan_a_fibre(served.study)
    store(served.study, served.series["FU1"], served.series["BASELINE"], SHIFT)
    found = reader.get(f"/api/reads/{SUBJECT}/FU1/field", params={"series_uid": served.series["FU1"]}).json()
    assert found["margin_mm"] == 4.0
    inside, margin = voxels(found["in"]), voxels(found["margin"])
    assert np.array_equal(inside[6], disc(-5.5, 8.0))
    assert not (inside & margin).any()
    assert not margin[6][disc(-5.5, 8.0)].any()
    assert margin[6][disc(-5.5, 11.4) & ~disc(-5.5, 8.0)].all(), "12 mm less what pixels can be off"
    assert not margin[6][~disc(-5.5, 12.5)].any()
    earlier = reader.get(f"/api/reads/{SUBJECT}/FU1/field", params={"series_uid": served.series["BASELINE"]}).json()
    assert (earlier["timepoint"], earlier["margin"]) == ("BASELINE", None)


def test_a_cycle_planned_on_a_later_visit_is_not_told_of(served: Served, enter: Enter):
    """A reader of the baseline would learn from the field of cycle 2 that there was one, and where."""
    plan_a_fibre(served.study)
    reader = enter("reader1")
    url, asked = f"/api/reads/{SUBJECT}/BASELINE/field", {"series_uid": served.series["BASELINE"]}
    before = reader.get(url, params=asked).json()
    table = served.study.tables / "fields.csv"
    later = f'{SUBJECT},2,FU1,cylindrical,"9.5,0.5,25","0,0,1",20,8,,,\n'
    table.write_text(table.read_text() + later)
    assert reader.get(url, params=asked).json() == before
    table.write_text(table.read_text().splitlines()[0] + "\n" + later)
    assert reader.get(url, params=asked).status_code == 404


def test_what_keeps_the_field_from_being_shown_is_said(served: Served, reader: Person, enter: Enter):
    url = f"/api/reads/{SUBJECT}/FU1/field"
    assert reader.get(url, params={"series_uid": served.series["FU1"]}).status_code == 404, "none on record"
    plan_a_fibre(served.study)
    answer = reader.get(url, params={"series_uid": served.series["FU1"]})
    assert answer.status_code == 422
    assert "not registered" in answer.json()["error"]["message"]
    later = reader.get(url, params={"series_uid": served.series["FU2"]})
    assert (later.status_code, later.json()["error"]["code"]) == (403, "locked-timepoint")
    stranger = enter("stranger").get(url, params={"series_uid": served.series["FU1"]})
    assert (stranger.status_code, stranger.json()["error"]["code"]) == (403, "forbidden")
    (served.study.tables / "fields.csv").write_text("subject,cycle\n")
    assert reader.get(url, params={"series_uid": served.series["FU1"]}).status_code == 422
