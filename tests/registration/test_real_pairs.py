"""Two real pairs: a sarcoma's MR and its whole-body PET in frames of their own, and one abdomen on two dates."""

from pathlib import Path

import numpy as np
import pytest

from npcpit_imaging.config.registration import load_plan
from npcpit_imaging.dicom.load import load_folder
from npcpit_imaging.dicom.rtstruct import read_roi, roi_names
from npcpit_imaging.registration.align import align
from npcpit_imaging.registration.quality import Verdict
from npcpit_imaging.volume.resample import resample_mask

PLANS = Path(__file__).parent.parent.parent / "configs" / "npc-pit" / "imaging" / "registration"

pytestmark = pytest.mark.slow


def with_tumour(folder):
    """The image and its tumour by the data set's own contour."""
    volume = load_folder(folder / "image")
    (struct,) = (folder / "mask").glob("*.dcm")
    return volume, read_roi(struct, roi_names(struct)[0], volume.geometry)


def centroid_mm(mask):
    return mask.geometry.to_mm(np.argwhere(mask.voxels)).mean(axis=0)


def test_a_sarcomas_mr_finds_its_place_in_the_whole_body_pet(shared_data):
    """Both contours of the tumour, drawn in frames 780 mm apart, lie on each other: centroids within 5 mm.

    The verdict is reject, and rightly: no second start and no search from the PET's side confirm the place, so without
    the contours nobody could tell it from a failure.
    """
    folder = shared_data / "images" / "sts_001_raw"
    (mr, on_mr), (pet, on_pet) = (with_tumour(folder / name) for name in ("MR_T2", "FDG_PET"))
    found = align(mr, pet, load_plan(PLANS / "mr-pt.toml"), points_mm=[centroid_mm(on_pet)])
    apart = np.linalg.norm(found.transform.map(centroid_mm(on_mr)) - centroid_mm(on_pet))
    carried = resample_mask(on_pet, mr.geometry, found.transform)
    both = np.count_nonzero(carried.voxels & on_mr.voxels)
    dice = 2 * both / (np.count_nonzero(carried.voxels) + np.count_nonzero(on_mr.voxels))
    assert apart <= 5.0
    assert dice >= 0.9
    assert found.quality.verdict is Verdict.REJECT
    assert {reason.split(":")[0] for reason in found.quality.reasons} >= {"inverse-consistency-mm", "agreement-mm"}


def test_one_abdomen_on_two_dates_is_registered_with_a_warning(shared_data):
    """Both ways agree within 3 mm; a second start (4 mm) and the likeness warn, for bowel and breathing moved."""
    folder = shared_data / "images" / "mr_two_dates"
    later, earlier = load_folder(folder / "SCAN_002"), load_folder(folder / "SCAN_001")
    quality = align(later, earlier, load_plan(PLANS / "mr-mr.toml")).quality
    assert quality.verdict is Verdict.WARN
    assert quality.numbers.inverse_consistency_mm < 3.0
    assert quality.numbers.agreement_mm < 8.0
    assert any(reason.startswith("similarity: expected at least 0.7, found 0.") for reason in quality.reasons)
