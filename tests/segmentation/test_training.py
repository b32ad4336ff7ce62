"""The recipe of the network on a painted lesion: cases, drawn prompts, samples, two steps of training, a bundle."""

import sys
from pathlib import Path

import numpy as np
import pytest

from npcpit_imaging.config.segmentation import SegmentationSettings
from npcpit_imaging.errors import SegmentationError
from npcpit_imaging.segmentation.bundle import read_bundle
from npcpit_imaging.segmentation.bundled import segment_on_lattice
from npcpit_imaging.segmentation.prompt import LinePrompt
from npcpit_imaging.segmentation.training.cases import Case, long_axis, mask_paths, read_case, shrunk, small, with_node
from npcpit_imaging.segmentation.training.samples import read_samples, write_samples
from npcpit_imaging.segmentation.training.simulated import drawn_box, drawn_click, drawn_line
from npcpit_imaging.volume.files import write_mask, write_volume
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume

sys.path.append(str(Path(__file__).parent))  # pytest's importlib mode leaves a test's own folder out

from made_bundles import deep

GRID = Geometry(shape_kji=(32, 72, 72), origin_mm=(-36.0, -36.0, -48.0), spacing_mm=(1.0, 1.0, 3.0))


def painted(modality, radius=16.0):
    x, y, z = np.moveaxis(GRID.to_mm(np.moveaxis(np.indices(GRID.shape_kji), 0, -1)), -1, 0)
    inside = (x / radius) ** 2 + (y / (0.7 * radius)) ** 2 + (z / radius) ** 2 <= 1
    values = np.where(inside, 6.0, 1.0) if modality is Modality.PT else np.where(inside, 90.0, 50.0)
    values = values + np.random.default_rng(1).normal(0, 0.1 if modality is Modality.PT else 6.0, values.shape)
    unit = {Modality.CT: Unit.HU, Modality.PT: Unit.SUVBW}.get(modality, Unit.ARBITRARY)
    volume = Volume(voxels=values.astype(np.float32), geometry=GRID, modality=modality, unit=unit)
    return Case(patient="P", volume=volume, mask=Mask(voxels=inside, geometry=GRID), seed=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two patients in three kinds of image, in the training folder's layout (PET as SUV x 1000)."""
    folder = tmp_path_factory.mktemp("cases")
    for patient in ("P_001", "P_002"):
        for kind, modality in (("CT", Modality.CT), ("MR_T1", Modality.MR), ("PET", Modality.PT)):
            case = painted(modality)
            scale = 1000.0 if modality is Modality.PT else 1.0
            write_volume(Volume(voxels=case.volume.voxels * scale, geometry=GRID), folder / f"{patient}_{kind}.nii.gz")
            write_mask(case.mask, folder / f"{patient}_{kind}_mask.nii.gz")
    return folder


def test_a_case_is_read_with_its_unit_and_its_patient(folder):
    case = read_case(mask_paths(folder, "PET")[1], "PET", 1)
    assert (case.patient, case.seed, case.volume.unit) == ("P_002", 1001, Unit.SUVBW)
    assert 5 < float(case.volume.voxels[case.mask.voxels].mean()) < 7


def test_the_long_axis_is_the_ellipsoids():
    axis = long_axis(painted(Modality.CT).mask)
    assert np.linalg.norm(np.subtract(axis.end_mm, axis.start_mm)) == pytest.approx(32.5, abs=0.6)
    with pytest.raises(SegmentationError, match="at least two voxels"):
        long_axis(Mask(voxels=np.zeros(GRID.shape_kji, bool), geometry=GRID))


def test_small_keeps_the_voxels_size_and_shrunk_keeps_the_voxels():
    case = painted(Modality.CT)
    assert small(case).volume.geometry.spacing_mm == GRID.spacing_mm
    assert small(case).mask.volume_ml == pytest.approx(case.mask.volume_ml / 18, rel=0.1)
    assert shrunk(case, 0.5, 0.5).mask.volume_ml == pytest.approx(case.mask.volume_ml / 16)


def test_a_node_lies_beside_the_tumour_and_stands_out():
    case = painted(Modality.CT, radius=9.0)
    found = with_node(case, np.random.default_rng(2))
    assert not (found.mask.voxels & case.mask.voxels).any()
    change = found.volume.voxels - case.volume.voxels
    assert change[found.mask.voxels].mean() > 8
    assert abs(change[case.mask.voxels]).mean() < 1


def test_a_person_errs_by_two_millimetres_and_boxes_lie_outside():
    case = painted(Modality.CT)
    axis, rng = long_axis(case.mask), np.random.default_rng(4)
    lines = [drawn_line(case.mask, axis, rng) for _ in range(300)]
    off = [np.linalg.norm(np.subtract(line.start_mm, axis.start_mm)[:2]) for line in lines]
    assert np.mean(off) == pytest.approx(1.88, abs=0.2)  # mean of a Rayleigh distribution of 1.5 mm
    assert np.mean([line.start_mm[2] != axis.start_mm[2] for line in lines]) == pytest.approx(0.25, abs=0.08)
    faces = [drawn_box(case.mask, rng).corner_mm[0] for _ in range(300)]
    assert np.mean(faces) == pytest.approx(-16.5 - 1.0, abs=0.3)
    clicks = [drawn_click(case.mask, rng).point_mm for _ in range(20)]
    assert all(case.mask.voxels[tuple(np.rint(GRID.to_index(click)).astype(int))] for click in clicks)


def test_the_recipe_makes_a_bundle_that_answers(folder, tmp_path):
    """Two steps are no training; what is tested is that every part of the recipe fits the next."""
    deep()
    from npcpit_imaging.segmentation.training.export import export
    from npcpit_imaging.segmentation.training.train import train

    count = write_samples(tmp_path / "samples", folder, None, 1)
    samples, images, target = read_samples(tmp_path / "samples")
    assert len(samples) == count == len(images) == len(target)
    assert {sample.version for sample in samples} >= {"tumour", "small", "shrunk"}
    assert {sample.fold for sample in samples} == {0, 1}
    net = tmp_path / "net"
    net.mkdir()
    train([tmp_path / "samples"], net, fold=0, count=8, seed=1)
    bundle = read_bundle(export(net, tmp_path / "bundles", 0, "0.0.1"))
    assert bundle.lattice
    case = painted(Modality.CT)
    line = LinePrompt(start_mm=(-16.0, 0.0, 0.0), end_mm=(16.0, 0.0, 0.0))
    found = segment_on_lattice(bundle, case.volume, (line,), previous=None, settings=SegmentationSettings())
    overlap = np.count_nonzero(found.mask.voxels & case.mask.voxels)
    assert 2 * overlap / (np.count_nonzero(found.mask.voxels) + np.count_nonzero(case.mask.voxels)) > 0.6
