"""Undo and redo as a value: every state comes back exactly, in few bytes."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from npcpit_imaging.errors import GeometryError, SegmentationError
from npcpit_imaging.segmentation.editing import brush, erase, grow, smooth
from npcpit_imaging.segmentation.edits import EditHistory, from_json, pack, record, redo, to_json, undo, unpack
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask

GRID = Geometry(shape_kji=(11, 40, 40), origin_mm=(-20.0, -20.0, 0.0), spacing_mm=(1.0, 1.0, 3.0))
EMPTY = Mask(voxels=np.zeros(GRID.shape_kji, bool), geometry=GRID, label="T01")


def drawn():
    """A history of four edits, and the masks it went through."""
    steps = [
        ("brush", lambda m: brush(m, ((0.0, 0.0, 15.0),), radius_mm=9.0, in_slice=False)),
        ("erase", lambda m: erase(m, ((5.0, 0.0, 15.0),), radius_mm=2.0)),
        ("grow", lambda m: grow(m, 2.0)),
        ("smooth", lambda m: smooth(m, radius_mm=1.5)),
    ]
    history, masks = EditHistory(mask=EMPTY), [EMPTY]
    for name, edit in steps:
        history = record(history, name, edit(history.mask))
        masks.append(history.mask)
    return history, masks


def test_undo_goes_back_through_every_state_and_redo_forth_again():
    history, masks = drawn()
    for before in reversed(masks[:-1]):
        history = undo(history)
        assert np.array_equal(history.mask.voxels, before.voxels)
    assert not history.can_undo
    for after in masks[1:]:
        history = redo(history)
        assert np.array_equal(history.mask.voxels, after.voxels)
    assert not history.can_redo
    assert [edit.name for edit in history.edits] == ["brush", "erase", "grow", "smooth"]
    assert history.mask.label == "T01"


def test_a_history_is_never_changed_by_what_is_made_of_it():
    history, masks = drawn()
    undo(undo(history))
    record(history, "grow", grow(history.mask, 3.0))
    assert (history.position, len(history.edits)) == (4, 4)
    assert np.array_equal(history.mask.voxels, masks[-1].voxels)


def test_a_new_edit_forgets_what_was_undone():
    history, masks = drawn()
    other = record(undo(undo(history)), "grow", grow(masks[2], 1.0))
    assert [edit.name for edit in other.edits] == ["brush", "erase", "grow"]
    assert not other.can_redo
    assert np.array_equal(undo(other).mask.voxels, masks[2].voxels)


def test_an_edit_that_changes_nothing_is_no_step():
    history, _ = drawn()
    assert record(history, "grow", history.mask) is history


def test_only_so_many_edits_are_kept():
    history, masks = drawn()
    history = record(history, "grow", grow(history.mask, 2.0), keep=2)
    assert [edit.name for edit in history.edits] == ["smooth", "grow"]
    assert np.array_equal(undo(undo(history)).mask.voxels, masks[3].voxels)
    with pytest.raises(SegmentationError, match="undo: expected an edit"):
        undo(undo(undo(history)))


def test_nothing_to_redo_is_said():
    with pytest.raises(SegmentationError, match="redo: expected an edit"):
        redo(drawn()[0])


def test_a_mask_of_another_grid_is_refused():
    other = Geometry(shape_kji=GRID.shape_kji, origin_mm=(0.0, 0.0, 0.0), spacing_mm=GRID.spacing_mm)
    with pytest.raises(GeometryError, match="expected the mask's grid"):
        record(drawn()[0], "brush", Mask(voxels=EMPTY.voxels, geometry=other))


def test_a_stroke_on_a_large_image_costs_less_than_a_kilobyte():
    """A disc of 10 mm on 512 x 512 x 300 voxels: 78 MB a mask, a few hundred bytes an edit."""
    grid = Geometry(shape_kji=(300, 512, 512), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(0.5, 0.5, 1.0))
    empty = Mask(voxels=np.zeros(grid.shape_kji, bool), geometry=grid)
    history = record(EditHistory(mask=empty), "brush", brush(empty, ((100.0, 100.0, 50.0),), radius_mm=10.0))
    assert len(history.edits[0].change.bits) < 1000


def test_a_history_survives_as_text():
    """In the middle of it: two edits in force, two that can be made again."""
    history = undo(undo(drawn()[0]))
    read = from_json(to_json(history), GRID, label="T01")
    assert (read.edits, read.position, read.mask.label) == (history.edits, 2, "T01")
    assert np.array_equal(read.mask.voxels, history.mask.voxels)
    assert np.array_equal(redo(redo(read)).mask.voxels, drawn()[0].mask.voxels)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda found: "no history",
        lambda found: "[1, 2]",
        lambda found: json.dumps({**found, "position": 9}),
        lambda found: json.dumps({**found, "mask": {**found["mask"], "bits": "AAAA"}}),
        lambda found: json.dumps({**found, "mask": {**found["mask"], "bits": "not base 64"}}),
        lambda found: json.dumps({**found, "mask": {**found["mask"], "start_kji": [9, 39, 39]}}),
        lambda found: json.dumps({**found, "mask": {**found["mask"], "shape_kji": [1, 2, 3]}}),
        lambda found: json.dumps({**found, "mask": {**found["mask"], "shape_kji": 3}}),
    ],
)
def test_damaged_text_is_refused(spoil):
    with pytest.raises(SegmentationError, match=r"expected|cannot be read|damaged"):
        from_json(spoil(json.loads(to_json(drawn()[0]))), GRID)


@settings(max_examples=80, deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 5), st.integers(1, 7), st.integers(1, 9))))
def test_packing_loses_nothing(voxels):
    assert np.array_equal(unpack(pack(voxels), voxels.shape), voxels)


def test_the_example_of_the_documentation_runs():
    """The last block of docs/editing.md, with its assertion."""
    page = Path(__file__).parents[2] / "docs" / "editing.md"
    block = page.read_text(encoding="utf-8").split("```python\n")[-1].split("```")[0]
    exec(compile(block, str(page), "exec"), {})
