"""What is carried from visit to visit: the irradiated field, and points through a deformable registration."""

import hashlib
from typing import Any

import numpy as np

from npcpit_imaging.app.demo import SUBJECT
from npcpit_imaging.app.study import open_study
from npcpit_imaging.registration.files import write_transform
from npcpit_imaging.store.digests import series_digest
from npcpit_imaging.store.results import put_registration
from npcpit_imaging.store.schema import RegistrationRow
from npcpit_imaging.volume.deformable import DeformableTransform
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.transform import RigidTransform

RADIUS_MM = 10.0


def plan_light_into(site: Any, middle_mm: Any) -> None:
    """A cylindrical fibre upright through a point of the baseline's CT: a disc of 10 mm in its slice."""
    x, y, z = middle_mm
    row = f'{SUBJECT},1,BASELINE,cylindrical,"{x},{y},{z + 12}","0,0,1",24,{RADIUS_MM}'
    text = f"subject,cycle,timepoint,kind,tip_mm,axis,length_mm,radius_mm\n{row}\n"
    (site.folder / "tables" / "fields.csv").write_text(text, encoding="utf-8")


def blue_at(hand: Any, picture: Any, places: list[tuple[float, float]]) -> int:
    """At how many places a pixel nearby is blue."""
    spots = [hand.around(picture, place, 3).reshape(-1, 3) for place in places]
    return sum(bool((spot[:, 2] - spot[:, 0] > 45).any()) for spot in spots)


def test_the_field_is_drawn_where_it_was_planned_and_carried_over_with_a_margin(site, hand, truth):
    """A circle of 10 mm on the baseline; on the follow-up one within its margin; T01 is in it, T02 is out."""
    middle = np.array(truth["lesion"]["T01"]["at"]["BASELINE"]["center_mm"])
    plan_light_into(site, middle)
    reader = site.caller("reader1")
    line = {"kind": "line", "points_mm": truth["reader"]["FU1"]["T01"]["long_axis_mm"]}
    reader.change("FU1", kind="prompt", lesion="T01", series_uid=reader.ct("FU1"), prompts=[line])
    reader.measure("FU1", "T02", truth)
    hand.open(site, "reader1", "FU1")
    hand.page.wait_for_selector("[data-planned]")
    hand.settle()
    assert hand.page.get_attribute("[data-planned]", "data-planned") == "in"
    said = hand.page.inner_text("[data-planned]")
    assert "of the mask inside" in said and "edge +/-" in said
    geometry = reader.get(f"series/{reader.ct('BASELINE')}")
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = [middle + RADIUS_MM * np.array([np.cos(each), np.sin(each), 0]) for each in angles]
    place = hand.placing("left", geometry)
    places = [place(point) for point in ring]
    shown = hand.shot("field")
    assert blue_at(hand, shown, places) >= 20
    hand.page.mouse.move(700, 700)
    hand.key("g")
    hidden = hand.shot("field-off")
    assert blue_at(hand, hidden, places) <= 2
    hand.page.click("tr[data-lesion=T02]")
    hand.settle()
    assert hand.page.get_attribute("[data-planned]", "data-planned") == "out"


def bent_like(truth: Any) -> DeformableTransform:
    """The true turn of the follow-up, then a seeded displacement of up to about 4 mm between points 30 mm apart."""
    back = np.linalg.inv(np.array(truth["timepoint"]["FU1"]["series"]["CT"]["baseline_ct_to_series"]))
    lattice = Geometry(shape_kji=(9, 12, 12), origin_mm=(-165.0, -165.0, -120.0), spacing_mm=(30.0, 30.0, 30.0))
    coefficients = np.random.default_rng(7).uniform(-6, 6, (3, *lattice.shape_kji))
    left, _, right = np.linalg.svd(back[:3, :3])  # the truth is written to eight digits; ITK wants ten
    rigid = RigidTransform(rotation=left @ right, translation_mm=back[:3, 3])
    return DeformableTransform(rigid=rigid, lattice=lattice, coefficients_mm=coefficients)


def put_on_record(folder: Any, fixed: str, moving: str, transform: DeformableTransform) -> None:
    """Store a registration as the pipeline does."""
    with open_study(folder) as study:
        path = study.derived / SUBJECT / "bent.tfm"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_transform(transform, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        with study.database.session() as session:
            row = RegistrationRow(
                fixed_series_uid=fixed,
                moving_series_uid=moving,
                path=path.relative_to(study.folder).as_posix(),
                verdict="accept",
                quality={"reasons": [], "numbers": {}, "uncertainty_mm": 1.5, "transform_sha256": digest},
                inputs={uid: series_digest(session, uid) for uid in (fixed, moving)},
                key=path.name,
                created=study.now(),
            )
            put_registration(session, row)


def test_scrolling_follows_a_deformable_registration_point_by_point(site, hand, truth):
    """The left side shows the point that the transform itself gives, to half a slice; a rigid link would miss it."""
    transform = bent_like(truth)
    reader = site.caller("reader1")
    put_on_record(site.folder, reader.ct("FU1"), reader.ct("BASELINE"), transform)
    hand.open(site, "reader1", "FU1")
    assert "deformable, accepted, repeats within 1.5 mm" in hand.page.inner_text("button[data-command=link]")
    normal_mm = truth["timepoint"]["BASELINE"]["series"]["CT"]["spacing_mm"][2]
    bends = []
    for _ in range(3):
        hand.wheel(300)
        right, left = hand.focus_mm("right"), hand.focus_mm("left")
        expected = transform.map(right[None])[0]
        assert np.abs((left - expected)[:2]).max() < 0.05, "within the slice, exactly"
        assert abs((left - expected)[2]) <= normal_mm / 2 + 0.05, "and in the nearest slice"
        bends.append(np.linalg.norm(expected - transform.rigid.map(right[None])[0]))
    assert max(bends) > 0.5
    hand.shot("deformable-link")
