"""`npcpit mask` turns a mask into every other form and back, the same voxel by voxel, or says why not."""

from pathlib import Path

import numpy as np
import pytest

from npcpit_imaging.dicom.load import load_folder
from npcpit_imaging.volume.files import write_mask
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask

SERIES = Path(__file__).parent.parent.parent / "sample_dicom" / "BASELINE" / "MR_T2"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> tuple[Path, Mask]:
    """A block with a hole and a pixel beside it, as NIfTI on the series' grid."""
    geometry = load_folder(SERIES).geometry
    voxels = np.zeros(geometry.shape_kji, bool)
    voxels[3:9, 20:40, 30:44] = True
    voxels[5, 25:28, 33:36] = False
    voxels[8, 40, 44] = True
    mask = Mask(voxels=voxels, geometry=geometry)
    path = tmp_path_factory.mktemp("drawn") / "mask.nii.gz"
    write_mask(mask, path)
    return path, mask


def test_a_mask_goes_through_every_form_unchanged(drawn, tmp_path, npcpit):
    """NIfTI to RTSTRUCT to SEG to NRRD to NIfTI: the digest of voxels and grid stays."""
    path, mask = drawn
    steps = [("rs.dcm", "rtstruct"), ("seg.dcm", "seg"), ("m.nrrd", None), ("m.nii", None)]
    for name, form in steps:
        options = ["--as", form, "--name", "GTV"] if form else []
        answer = npcpit("mask", SERIES, path, "-o", tmp_path / name, *options, "--json").answer
        assert (answer["form"], answer["voxels"]) == (form or "file", int(mask.voxels.sum()))
        assert answer["mask_digest"] == mask.digest
        path = tmp_path / name
    assert npcpit("measure", SERIES, tmp_path / "rs.dcm", "--roi", "GTV", "--json").answer["mask_digest"] == mask.digest


def test_what_does_not_fit_is_one_line_and_exit_1(drawn, tmp_path, npcpit):
    path, _ = drawn
    assert "expected a NIfTI or NRRD name, or --as" in npcpit("mask", SERIES, path, "-o", tmp_path / "x.dcm").refusal()
    refusal = npcpit("mask", SERIES, path, "-o", tmp_path / "x.nii", "--as", "seg").refusal()
    assert "a NIfTI or NRRD name cannot hold --as seg" in refusal
    assert "no folder" in npcpit("mask", SERIES, path, "-o", tmp_path / "none" / "x.nii").refusal()
    refusal = npcpit("mask", path, path, "-o", tmp_path / "x.dcm", "--as", "rtstruct").refusal()
    assert "expected a DICOM series" in refusal
    assert list(tmp_path.iterdir()) == []


def test_a_mask_on_another_grid_is_refused_with_both_grids(drawn, tmp_path, npcpit):
    """Half the slices, as another program may have cropped it; the same for measuring."""
    _, mask = drawn
    crop = Mask(voxels=mask.voxels[2:], geometry=mask.geometry.crop((2, 0, 0), mask.voxels[2:].shape))
    write_mask(crop, tmp_path / "crop.nii.gz")
    refusals = [
        npcpit("mask", SERIES, tmp_path / "crop.nii.gz", "-o", tmp_path / "x.nrrd").refusal(),
        npcpit("measure", SERIES, tmp_path / "crop.nii.gz").refusal(),
    ]
    for refusal in refusals:
        assert "expected the image's voxels" in refusal
        assert mask.geometry.describe() in refusal
        assert crop.geometry.describe() in refusal


def test_a_shifted_mask_of_the_same_size_is_refused(drawn, tmp_path, npcpit):
    """The voxel count fits, the place does not: half a voxel to the left."""
    _, mask = drawn
    affine = mask.geometry.affine.copy()
    affine[0, 3] += mask.geometry.spacing_mm[0] / 2
    shifted = Mask(voxels=mask.voxels, geometry=Geometry.from_affine(affine, mask.geometry.shape_kji))
    write_mask(shifted, tmp_path / "shifted.nii.gz")
    assert "another grid" in npcpit("mask", SERIES, tmp_path / "shifted.nii.gz", "-o", tmp_path / "x.nrrd").refusal()
