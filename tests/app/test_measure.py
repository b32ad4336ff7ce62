"""The verbs for one image: a place that cannot be written to is named whole, an image given as mask is called one."""

from pathlib import Path

import numpy as np
import pytest

from npcpit_imaging.app.images import open_image, open_mask
from npcpit_imaging.app.measure_mask import measure_mask
from npcpit_imaging.app.volumes import convert
from npcpit_imaging.errors import InputError
from npcpit_imaging.volume.files import write_volume
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Modality, Unit, Volume


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A NIfTI image of 1000 different values from -500 to 499."""
    values = np.arange(-500, 500, dtype=np.float32).reshape(10, 10, 10)
    geometry = Geometry.from_affine(np.eye(4), (10, 10, 10))
    path = tmp_path / "ct.nii.gz"
    write_volume(Volume(voxels=values, geometry=geometry, modality=Modality.CT, unit=Unit.HU), path)
    return path


def test_an_image_given_as_mask_is_called_one_and_not_listed(image):
    with pytest.raises(InputError, match="looks like an image, not a mask") as caught:
        measure_mask(image, image)
    assert "found 999 values (-500, -499, -498, -497, -496, -495, -494, -493, -492, -491, ...)" in str(caught.value)
    with pytest.raises(InputError, match="label 7000, found 999 values"):
        open_mask(image, open_image(image).geometry, label=7000)


def test_a_missing_output_folder_is_named_before_anything_is_read(image, tmp_path):
    output = tmp_path / "a" / "none" / "m.nii.gz"
    with pytest.raises(InputError) as caught:
        convert(image, output)
    assert f"no folder {output.parent}" in str(caught.value)


def test_a_series_is_not_called_another_modality():
    """A stated modality that the series contradicts is a slip, e.g. of the folder; OT is not stated."""
    series = Path(__file__).parents[2] / "sample_dicom" / "BASELINE" / "MR_T1"
    with pytest.raises(InputError, match="MR_T1: expected CT as stated, found a DICOM series of MR"):
        open_image(series, modality=Modality.CT)
    assert open_image(series, modality=Modality.MR).modality is Modality.MR
