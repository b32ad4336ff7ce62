"""Known rigid motions of an analytic head are found; bad input is refused in words."""

import numpy as np
import pytest
import SimpleITK as sitk

from npcpit_imaging.config.registration import RegistrationPlan
from npcpit_imaging.errors import RegistrationCancelledError, RegistrationError
from npcpit_imaging.registration.align import align
from npcpit_imaging.registration.quality import Verdict
from npcpit_imaging.registration.search import with_air
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Modality, Volume


def target_error_mm(found, true, volume):
    """Distance between where two transforms send a 5x5x5 lattice over the head."""
    side = np.linspace(-70, 70, 5)
    points = np.stack(np.meshgrid(side, side, side), -1).reshape(-1, 3)
    points = points[volume.geometry.contains(points)]
    assert len(points) > 30
    return np.linalg.norm(found.map(points) - true.map(points), axis=1)


def test_a_known_motion_between_unlike_grids_is_found_within_half_a_millimetre(aligned, follow_up, phantom):
    error = target_error_mm(aligned.transform, phantom.motion, follow_up)
    assert error.max() <= 0.5


def test_a_good_pair_is_accepted_without_reasons(aligned):
    assert aligned.quality.verdict is Verdict.ACCEPT, aligned.quality.reasons
    assert aligned.quality.reasons == ()


def test_the_reverse_was_found_independently_and_undoes_the_motion(aligned, phantom):
    error = target_error_mm(aligned.reverse, phantom.motion.inverse(), phantom.scanned(phantom.grid()))
    assert error.max() <= 0.7
    assert not np.array_equal(aligned.reverse.rotation, aligned.transform.rotation.T)


def test_mr_to_ct_is_found_within_a_quarter_of_a_voxel(baseline, plan, phantom):
    mr = phantom.scanned(
        phantom.grid((56, 60, 64), (3.0, 2.8, 3.6)), motion=phantom.rigid((-5, 3, 4), (-6, 7, -10)),
        modality=Modality.MR, noise=15, seed=3,
    )  # fmt: skip
    error = target_error_mm(align(mr, baseline, plan).transform, phantom.rigid((-5, 3, 4), (-6, 7, -10)), mr)
    assert error.mean() <= 0.75


def test_an_oblique_coronal_acquisition_is_found(baseline, plan, phantom):
    tilt = np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]]) @ phantom.rigid((4, 6, -5)).rotation
    coronal = phantom.scanned(
        phantom.grid((44, 60, 60), (3.0, 3.0, 4.0), direction=tilt), motion=phantom.motion, seed=4
    )
    error = target_error_mm(align(coronal, baseline, plan).transform, phantom.motion, coronal)
    assert error.max() <= 0.6


def test_a_short_scan_of_the_jaw_finds_its_place_in_the_whole_head(baseline, plan, phantom):
    """No start by centres comes near: 60 mm of 192, at the lower end, 70 mm away in scanner coordinates."""
    jaw = phantom.scanned(
        phantom.grid((24, 60, 60), (3, 3, 2.5), centre=(0, -5, 25)), motion=phantom.rigid((3, 0, 2), (0, 0, -70))
    )
    error = target_error_mm(align(jaw, baseline, plan).transform, phantom.rigid((3, 0, 2), (0, 0, -70)), jaw)
    assert error.max() <= 1.0


@pytest.fixture(scope="module")
def aligned_again(baseline, follow_up, plan):
    """The same pair aligned a second time, and what was reported on the way."""
    heard = []
    return align(follow_up, baseline, plan, progress=lambda fraction, text: heard.append((fraction, text))), heard


def test_the_same_pair_gives_the_same_bits_twice(aligned, aligned_again):
    again, _ = aligned_again
    assert again.transform.rotation.tobytes() == aligned.transform.rotation.tobytes()
    assert again.transform.translation_mm.tobytes() == aligned.transform.translation_mm.tobytes()
    assert again.quality == aligned.quality


def test_another_seed_gives_almost_the_same_place(baseline, follow_up, aligned):
    other = align(follow_up, baseline, RegistrationPlan(seed=7))
    error = target_error_mm(other.transform, aligned.transform, follow_up)
    assert 0 < error.max() <= 0.5


def test_the_process_gets_its_itk_threads_back(aligned, baseline, follow_up):
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    with pytest.raises(RegistrationCancelledError):
        align(follow_up, baseline, RegistrationPlan(threads=1), cancelled=lambda: True)
    assert sitk.ProcessObject.GetGlobalDefaultNumberOfThreads() == before


def test_progress_rises_from_nought_to_one(aligned_again):
    _, heard = aligned_again
    fractions = [fraction for fraction, _ in heard]
    assert fractions[0] == 0.0
    assert fractions[-1] == 1.0
    assert fractions == sorted(fractions)
    assert len(fractions) >= 8
    assert all(text for _, text in heard)


def test_cancel_stops_in_the_middle_of_a_descent(baseline, follow_up, plan):
    asked = []

    def cancelled():
        asked.append(1)
        return len(asked) > 5

    with pytest.raises(RegistrationCancelledError, match="cancelled at 8 mm"):
        align(follow_up, baseline, plan, cancelled=cancelled)
    assert len(asked) < 12


def test_a_readers_start_and_identity_are_starts_where_they_may_be(aligned, plan, phantom):
    """A start that was given takes part under its own name; identity only in a shared or unknown frame of reference."""
    assert "identity" not in {start.name for start in aligned.starts}
    near = phantom.rigid((0, 0, 1), (1, 0, 0))
    pair = [
        phantom.scanned(phantom.grid((40, 44, 44), (4.5, 4.5, 4.5), uid="1.2.3"), motion=motion)
        for motion in (near, None)
    ]
    assert {"given 1", "identity"} <= {start.name for start in align(*pair, plan, initial=[near]).starts}


def uniform(value, shape=(20, 20, 20), spacing=(5.0, 5.0, 5.0), modality=Modality.MR):
    geometry = Geometry(shape_kji=shape, origin_mm=(0.0, 0.0, 0.0), spacing_mm=spacing)
    return Volume(voxels=np.full(shape, value, np.float32), geometry=geometry, modality=modality)


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (uniform(7.0), "moving image: expected contrast .* uniform image .*20x20x20 voxels"),
        (uniform(0.0, modality=Modality.CT), "moving image: expected contrast"),
        (uniform(np.nan), "moving image: expected finite values, found 8000"),
        (uniform(1.0, shape=(1, 20, 20)), "moving image: expected at least 16 mm along every axis"),
    ],
    ids=["uniform MR", "uniform CT", "NaN", "one slice"],
)
def test_an_image_without_content_is_refused_in_words(baseline, plan, bad, expected):
    with pytest.raises(RegistrationError, match=expected):
        align(baseline, bad, plan)


def test_a_ct_of_air_has_no_body(baseline, plan):
    air = uniform(-1000.0, modality=Modality.CT)
    noisy = Volume(
        voxels=air.voxels + np.random.default_rng(1).normal(0, 10, air.voxels.shape).astype(np.float32),
        geometry=air.geometry, modality=Modality.CT,
    )  # fmt: skip
    with pytest.raises(RegistrationError, match="fixed image: expected"):
        align(noisy, baseline, plan)


def test_no_start_with_overlap_is_an_error_that_names_the_start(baseline, follow_up, phantom):
    rule = RegistrationPlan().starts.model_copy(
        update={"geometry": False, "moments": False, "identity": False, "z_offsets_mm": (), "scan_kept": 0}
    )
    plan = RegistrationPlan(starts=rule)
    away = phantom.rigid(shift=(0, 0, 900))
    with pytest.raises(RegistrationError, match=r"two images that overlap, found none of 1 starts usable .* given 1"):
        align(follow_up, baseline, plan, initial=[away])
    with pytest.raises(RegistrationError, match="no start given"):
        align(follow_up, baseline, plan)


@pytest.mark.parametrize("points", [[], [[1.0, 2.0]], [[0.0, 0.0, np.nan]], [0.0, 0.0, 0.0]])
def test_points_must_be_positions(baseline, follow_up, plan, points):
    with pytest.raises(RegistrationError, match=r"expected \(N, 3\) finite LPS mm"):
        align(follow_up, baseline, plan, points_mm=points)


def test_air_around_a_body_reaches_as_far_as_the_plan_says():
    """12 mm on a mask whose voxels are 4 mm: three more on each side of a single one."""
    body = sitk.Image([11, 11, 11], sitk.sitkUInt8)
    body.SetSpacing((4.0, 4.0, 4.0))
    body[5, 5, 5] = 1
    grown = sitk.GetArrayFromImage(with_air(body, 12.0)) > 0
    for axes in ((1, 2), (0, 2), (0, 1)):
        assert np.flatnonzero(grown.any(axis=axes)).tolist() == list(range(2, 9))
