"""No verb writes over what it was given."""

import nibabel as nib
import numpy as np
import pytest

from npcpit_imaging import cli
from npcpit_imaging.app.outputs import require_different, require_output
from npcpit_imaging.errors import InputError


@pytest.fixture
def files(tmp_path):
    """An image and a mask on its grid."""
    for name in ("image", "mask"):
        voxels = np.zeros((8, 8, 4), np.uint8)
        voxels[2:5, 2:5, 1:3] = 1
        nib.save(nib.Nifti1Image(voxels, np.diag([-1.0, -1.0, 2.0, 1.0])), tmp_path / f"{name}.nii.gz")
    return tmp_path


OVERWRITING = {
    "segment, the image": ("segment", "image.nii.gz", "--point", "3,3,2", "-o", "image.nii.gz"),
    "segment, the previous mask": ("segment", "image.nii.gz", "--previous", "mask.nii.gz", "-o", "mask.nii.gz"),
    "segment, by another path": ("segment", "image.nii.gz", "--point", "3,3,2", "-o", "./sub/../image.nii.gz"),
    "mask, the image": ("mask", "image.nii.gz", "mask.nii.gz", "-o", "image.nii.gz"),
    "mask, the mask": ("mask", "image.nii.gz", "mask.nii.gz", "-o", "mask.nii.gz"),
    "volume, the image": ("volume", "image.nii.gz", "-o", "image.nii.gz"),
    "register, an image": ("register", "image.nii.gz", "mask.nii.gz", "-o", "t.tfm", "--resampled", "mask.nii.gz"),
}


@pytest.mark.parametrize("arguments", OVERWRITING.values(), ids=OVERWRITING)
def test_an_output_that_would_replace_an_input_is_refused_and_nothing_is_written(files, monkeypatch, capsys, arguments):
    (files / "sub").mkdir()
    monkeypatch.chdir(files)
    before = {path.name: path.read_bytes() for path in files.glob("*.nii.gz")}
    assert cli.run(list(arguments)) == 1
    assert "which would be overwritten" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in files.glob("*.nii.gz")} == before


def test_a_file_of_an_input_folder_and_a_link_to_an_input_are_refused(files):
    link = files.parent / "link.nii.gz"
    link.symlink_to(files / "image.nii.gz")
    for output, given in ((files / "image.nii.gz", files), (link, files / "image.nii.gz")):
        with pytest.raises(InputError, match="would be overwritten"):
            require_output(output, given)
    link.unlink()
    require_output(files / "new.nii.gz", files, None, files / "image.nii.gz")


def test_two_outputs_of_one_name_are_refused(tmp_path):
    with pytest.raises(InputError, match="found one name twice"):
        require_different((tmp_path / "a.tfm", None, tmp_path / "x" / ".." / "a.tfm"))
