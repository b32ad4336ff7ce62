"""tables/fields.csv: fibres and masks, and what is said of a line that cannot be used."""

import pytest

from npcpit_imaging.app.field_positions import LesionInField, mask_of_each_lesion, write_positions
from npcpit_imaging.app.fields import read_fields
from npcpit_imaging.errors import TableError
from npcpit_imaging.store.lesions import StoredProposal
from npcpit_imaging.study.lesion import Lesion, LesionRole
from npcpit_imaging.study.measurement import Measurement
from npcpit_imaging.study.treatment import DiffuserKind

HEADER = "subject,cycle,timepoint,kind,tip_mm,axis,length_mm,radius_mm,start_radius_mm,file,roi\n"


def hand_in(study, *lines):
    study.tables.mkdir(exist_ok=True)
    (study.tables / "fields.csv").write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    return study


def test_a_fibres_axis_is_made_a_unit_vector(study):
    """A direction of length 5 is the same fibre as one of length 1."""
    (row,) = read_fields(hand_in(study, 'S1,1,BASELINE,cylindrical,"1,2,3","0,3,4",30,10,,,'))
    assert row.diffuser is not None
    assert row.diffuser.kind is DiffuserKind.CYLINDRICAL
    assert row.diffuser.axis == pytest.approx((0.0, 0.6, 0.8))
    assert (row.diffuser.length_mm, row.diffuser.radius_mm) == (30.0, 10.0)


def test_a_mask_is_named_from_the_studys_folder(study):
    """No fibre, a file."""
    (row,) = read_fields(hand_in(study, "S1,2,FU1,mask,,,,,,fields/one.nii.gz,"))
    assert (row.diffuser, row.file) == (None, study.folder / "fields" / "one.nii.gz")


def test_an_empty_radius_comes_from_the_protocol(study):
    """[diffusers] of protocol.toml says how far light acts."""
    path = study.folder / "configs" / "protocol.toml"
    path.write_text(path.read_text().replace("# cylindrical_radius_mm = 10.0", "cylindrical_radius_mm = 12.5"))
    (row,) = read_fields(hand_in(study, 'S1,1,BASELINE,cylindrical,"1,2,3","0,0,1",30,,,,'))
    assert row.diffuser is not None
    assert row.diffuser.radius_mm == 12.5


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            'S1,1,BASELINE,cone,"1,2,3","0,0,1",30,10,,,',
            "line 2: kind: expected mask, frontal, cylindrical, found 'cone'",
        ),
        ('S1,0,BASELINE,frontal,"1,2,3","0,0,1",30,10,,,', "line 2: cycle: expected a number from 1, found '0'"),
        ('S1,1,BASELINE,frontal,"1,2","0,0,1",30,10,,,', "line 2: tip_mm: expected x,y,z in LPS mm, found '1,2'"),
        ('S1,1,BASELINE,frontal,"1,2,3","0,0,0",30,10,,,', "line 2: axis: expected a direction, found 0,0,0"),
        ('S1,1,BASELINE,frontal,"1,2,3","0,0,1",,10,,,', "line 2: length_mm: expected a number, found none"),
        ('S1,1,BASELINE,frontal,"1,2,3","0,0,1",-3,10,,,', "line 2: diffuser: expected positive length and radius"),
        ("S1,1,BASELINE,mask,,,,,,,", "line 2: file: expected a value, found none"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(study, line, expected):
    """The line's number, what was expected and what was found."""
    with pytest.raises(TableError) as caught:
        read_fields(hand_in(study, line))
    assert str(caught.value).startswith(expected)


def test_positions_are_written_a_line_each(tmp_path):
    """What is not known is said in words, its numbers empty."""
    known = LesionInField(
        subject="S1",
        timepoint="FU1",
        lesion_id="T01",
        position="in",
        role="NEW",
        fraction_in=0.9,
        fraction_in_or_margin=1.0,
        nearest_mm=-4.5,
        margin_mm=4.0,
    )
    other = LesionInField(subject="S1", timepoint="FU1", lesion_id="T02", position="not known: rejected")
    write_positions([known, other], tmp_path / "positions.csv")
    assert (tmp_path / "positions.csv").read_text().splitlines() == [
        "subject,timepoint,lesion_id,position,role,fraction_in,fraction_in_or_margin,nearest_mm,margin_mm,reader,"
        "read_position",
        "S1,FU1,T01,in,NEW,0.9,1.0,-4.5,4.0,,",
        "S1,FU1,T02,not known: rejected,,,,,,,",
    ]


def proposal(number, lesion_id, series_uid):
    lesion = Lesion(
        lesion_id=lesion_id, tracking_uid=f"2.25.{lesion_id[1:]}", role=LesionRole.TARGET, organ="NASOPHARYNX",
        location="NASOPHARYNX",
    )  # fmt: skip
    measurement = Measurement(
        longest_diameter=None, short_axis=None, slice_index_k=0, slice_position_mm=0.0, volume_ml=1.0, components=1,
        convention="",
    )  # fmt: skip
    return StoredProposal(
        id=number, lesion=lesion, subject="S1", timepoint="FU1", series_uid=series_uid, mask_path="", mask_sha256="",
        prompt={}, segmenter={}, measurement=measurement, uptake=None, key="",
    )  # fmt: skip


def test_a_lesion_is_placed_by_its_mask_on_the_ct():
    """An MR mask of a lesion does not displace the CT's, whichever came last; where only the MR has one, it stays."""
    ct, mr = "1.2.1", "1.2.9"
    both = [proposal(1, "T01", ct), proposal(2, "T01", mr), proposal(3, "T02", mr), proposal(4, "T03", ct)]
    for order in (both, both[::-1]):
        chosen = mask_of_each_lesion(order, ct=ct)
        assert {name: each.id for name, each in chosen.items()} == {"T01": 1, "T02": 3, "T03": 4}


def test_a_visit_without_a_ct_keeps_each_lesions_newest_mask():
    """There is nothing to prefer; why the lesion cannot be placed is said later."""
    chosen = mask_of_each_lesion([proposal(1, "T01", "1.2.8"), proposal(2, "T01", "1.2.9")], ct="")
    assert chosen["T01"].id == 2
