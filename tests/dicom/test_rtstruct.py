"""Planar contours to masks: identical to published masks, holes kept, whatever does not fit refused."""

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from npcpit_imaging.dicom.load import load_folder
from npcpit_imaging.dicom.polygon import combine, inside_polygon
from npcpit_imaging.dicom.rtstruct import read_roi, roi_names
from npcpit_imaging.errors import DicomError, GeometryError, InputError
from npcpit_imaging.volume.files import read_mask
from npcpit_imaging.volume.geometry import Geometry

GRID = Geometry(
    shape_kji=(4, 12, 14), origin_mm=(-10.0, 5.0, 100.0), spacing_mm=(1.0, 2.0, 3.0), frame_of_reference_uid="1.2.3"
)


def rectangle(j0, j1, i0, i1, k, *, grid=GRID):
    """Corners in mm of the pixels j0..j1, i0..i1 (edges included) on slice k."""
    corners = [(k, j0 - 0.5, i0 - 0.5), (k, j0 - 0.5, i1 + 0.5), (k, j1 + 0.5, i1 + 0.5), (k, j1 + 0.5, i0 - 0.5)]
    return grid.to_mm(corners)


def block(j0, j1, i0, i1):
    """The same pixels as a mask of one slice."""
    pixels = np.zeros(GRID.shape_kji[1:], bool)
    pixels[j0 : j1 + 1, i0 : i1 + 1] = True
    return pixels


@pytest.fixture
def write_rtstruct(tmp_path):
    """Write regions (name to contours in mm) as an RTSTRUCT; returns its path."""

    def write(regions, *, frame="1.2.3", geometric_type="CLOSED_PLANAR"):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        dataset.Modality = "RTSTRUCT"
        dataset.StructureSetROISequence, dataset.ROIContourSequence = Sequence(), Sequence()
        for number, (name, contours) in enumerate(regions, start=1):
            roi, drawn = Dataset(), Dataset()
            roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, name, frame
            drawn.ReferencedROINumber, drawn.ContourSequence = number, Sequence()
            for points in contours:
                item = Dataset()
                item.ContourGeometricType, item.NumberOfContourPoints = geometric_type, len(points)
                item.ContourData = [f"{value:.6f}" for value in np.ravel(points)]
                drawn.ContourSequence.append(item)
            dataset.StructureSetROISequence.append(roi)
            dataset.ROIContourSequence.append(drawn)
        path = tmp_path / "structures"
        pydicom.dcmwrite(path, dataset, enforce_file_format=True)
        return path

    return write


# --- published masks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("patient", ["STS_002", "STS_003", "STS_008"])
@pytest.mark.parametrize("modality", ["CT", "MR_T1", "PET"])
def test_masks_are_identical_to_the_published_nifti(shared_data, patient, modality):
    """Dice 1.0000: no voxel differs; the volume is that of the independent measurement."""
    folder = shared_data / "images" / "sts" / patient / modality
    path = next((folder / "mask").iterdir())
    published = read_mask(shared_data / "images" / "sts_nifti" / patient / f"{modality}_mask.nii.gz")
    table = np.genfromtxt(
        shared_data / "truth" / "ibsi_sts_measurements.csv", delimiter=",", names=True, dtype=None, encoding="utf-8"
    )
    row = next(row for row in table if (row["patient"], row["mod"]) == (patient, modality))

    mask = read_roi(path, f"GTV_Mass_{modality}", load_folder(folder / "image").geometry)

    assert mask.geometry.same_grid(published.geometry)
    assert np.array_equal(mask.voxels, published.voxels)
    assert mask.volume_ml == pytest.approx(row["vol_ml_rt"], rel=0.001)
    assert mask.findings == ()


@pytest.mark.parametrize(("modality", "volume_ml"), [("FDG_PET", 366.1), ("MR_T2", 364.9)])
def test_the_raw_tumour_has_the_published_volume(shared_data, modality, volume_ml):
    """Two frames of reference; the MR is slightly oblique."""
    folder = shared_data / "images" / "sts_001_raw" / modality
    path = next((folder / "mask").iterdir())

    mask = read_roi(path, "GTV_Mass", load_folder(folder / "image").geometry)

    assert roi_names(path) == ("GTV_Mass", "GTV_Edema")
    assert mask.volume_ml == pytest.approx(volume_ml, abs=0.05)


def test_a_contour_of_another_image_is_refused(shared_data):
    """The tumour drawn on the PET does not lie on the MR: another frame of reference."""
    folder = shared_data / "images" / "sts_001_raw"
    path = next((folder / "FDG_PET" / "mask").iterdir())

    with pytest.raises(GeometryError, match="region 'GTV_Mass': expected frame of reference"):
        read_roi(path, "GTV_Mass", load_folder(folder / "MR_T2" / "image").geometry)


def test_the_ibsi_phantom_is_identical_to_its_nifti(shared_data):
    """IBSI 1's lung CT: 125,256 voxels."""
    folder = shared_data / "images" / "ibsi_1_ct_phantom"
    published = read_mask(next((folder / "nifti" / "mask").iterdir()))

    mask = read_roi(next((folder / "dicom" / "mask").iterdir()), "GTV-1", load_folder(folder / "dicom").geometry)

    assert np.array_equal(mask.voxels, published.voxels)


# --- by hand ---------------------------------------------------------------------------------------------------------


def test_a_rectangle_covers_its_pixels_on_its_slice(write_rtstruct):
    mask = read_roi(write_rtstruct([("node", [rectangle(2, 5, 3, 9, 1)])]), "node", GRID)

    assert np.array_equal(mask.voxels[1], block(2, 5, 3, 9))
    assert mask.voxels.sum() == 4 * 7
    assert mask.label == "node"
    assert mask.findings == ()


def test_an_oblique_grid_is_filled_in_its_own_plane(write_rtstruct):
    grid = Geometry(
        shape_kji=(4, 12, 14), origin_mm=(3.0, 5.0, 100.0), spacing_mm=(1.0, 2.0, 3.0),
        direction=((0.8, 0.0, 0.6), (0.6, 0.0, -0.8), (0.0, 1.0, 0.0)), frame_of_reference_uid="1.2.3",
    )  # fmt: skip

    mask = read_roi(write_rtstruct([("node", [rectangle(2, 5, 3, 9, 1, grid=grid)])]), "node", grid)

    assert np.array_equal(mask.voxels[1], block(2, 5, 3, 9))


def test_a_contour_in_a_contour_is_a_hole_and_one_in_that_an_island(write_rtstruct):
    contours = [rectangle(5, 6, 6, 7, 0), rectangle(0, 11, 0, 13, 0), rectangle(3, 8, 4, 9, 0)]

    mask = read_roi(write_rtstruct([("ring", contours)]), "ring", GRID)

    assert np.array_equal(mask.voxels[0], block(0, 11, 0, 13) ^ block(3, 8, 4, 9) ^ block(5, 6, 6, 7))


def test_contours_of_the_xor_type_take_off_where_they_overlap(write_rtstruct):
    """CLOSEDPLANAR_XOR (PS3.3 C.8.8.6.3): also where neither lies in the other."""
    contours = [rectangle(1, 6, 1, 6, 0), rectangle(4, 9, 4, 9, 0)]

    mask = read_roi(write_rtstruct([("x", contours)], geometric_type="CLOSEDPLANAR_XOR"), "x", GRID)

    assert np.array_equal(mask.voxels[0], block(1, 6, 1, 6) ^ block(4, 9, 4, 9))
    assert mask.findings == ()


def test_a_keyhole_leaves_its_hole_open(write_rtstruct):
    """One contour: around the outside, in along a channel, around the hole, out along the same channel."""
    outer, inner = rectangle(1, 10, 1, 12, 2), rectangle(4, 7, 5, 8, 2)
    keyhole = np.concatenate([outer, outer[:1], inner[[0, 3, 2, 1, 0]], outer[:1]])

    mask = read_roi(write_rtstruct([("ring", [keyhole])]), "ring", GRID)

    assert np.array_equal(mask.voxels[2], block(1, 10, 1, 12) ^ block(4, 7, 5, 8))


def test_separate_contours_add_and_neighbours_share_no_pixel(write_rtstruct):
    """Edges through pixel centres: a centre belongs to the right one only."""
    left = GRID.to_mm([(0, 1, 2), (0, 1, 6), (0, 5, 6), (0, 5, 2)])
    right = GRID.to_mm([(0, 1, 6), (0, 1, 9), (0, 5, 9), (0, 5, 6)])

    mask = read_roi(write_rtstruct([("pair", [left, right])]), "pair", GRID)

    assert np.array_equal(mask.voxels[0], block(1, 4, 2, 8))
    assert mask.findings == ()


def test_overlapping_contours_are_united_with_a_finding(write_rtstruct):
    """Exclusive-or would cut the overlap out of the lesion."""
    mask = read_roi(write_rtstruct([("pair", [rectangle(1, 5, 1, 6, 0), rectangle(3, 8, 4, 9, 0)])]), "pair", GRID)

    assert np.array_equal(mask.voxels[0], block(1, 5, 1, 6) | block(3, 8, 4, 9))
    assert [finding.code for finding in mask.findings] == ["roi-overlapping-contours"]


def test_a_contour_that_is_there_twice_counts_once(write_rtstruct):
    """Twice by exclusive-or would be nothing."""
    twice = [rectangle(2, 5, 3, 9, 1)] * 2

    mask = read_roi(write_rtstruct([("node", twice)]), "node", GRID)

    assert mask.voxels.sum() == 28
    assert [finding.code for finding in mask.findings] == ["roi-repeated-contours"]


def test_a_contour_between_slices_goes_to_the_nearest_with_a_finding(write_rtstruct):
    mask = read_roi(write_rtstruct([("node", [rectangle(2, 5, 3, 9, 1.4)])]), "node", GRID)

    assert mask.voxels[1].sum() == 28
    assert mask.findings[0].code == "roi-between-slices"
    assert "1.20 mm" in mask.findings[0].text


def test_two_planes_on_one_slice_are_refused(write_rtstruct):
    """Contours drawn on thinner slices than the image's would cancel or merge."""
    path = write_rtstruct([("node", [rectangle(2, 5, 3, 9, 0.8), rectangle(2, 5, 3, 9, 1.2)])])

    with pytest.raises(GeometryError, match=r"one plane of slice 1, found planes at 0\.80 and 1\.20"):
        read_roi(path, "node", GRID)


def test_slices_without_a_contour_are_reported_and_not_filled(write_rtstruct):
    mask = read_roi(write_rtstruct([("node", [rectangle(2, 5, 3, 9, 0), rectangle(2, 5, 3, 9, 2)])]), "node", GRID)

    assert not mask.voxels[1].any()
    assert [finding.code for finding in mask.findings] == ["roi-skipped-slices"]


def test_a_contour_across_the_slices_is_refused(write_rtstruct):
    across = GRID.to_mm([(0, 2, 2), (3, 2, 8), (3, 8, 8)])

    with pytest.raises(GeometryError, match="parallel to the slices"):
        read_roi(write_rtstruct([("node", [across])]), "node", GRID)


def test_a_contour_outside_the_image_is_refused(write_rtstruct):
    with pytest.raises(GeometryError, match="lies outside the image"):
        read_roi(write_rtstruct([("node", [rectangle(2, 5, 3, 9, 7)])]), "node", GRID)


def test_a_contour_beyond_the_edge_is_cut_with_a_finding(write_rtstruct):
    mask = read_roi(write_rtstruct([("node", [rectangle(2, 5, 10, 20, 1)])]), "node", GRID)

    assert np.array_equal(mask.voxels[1], block(2, 5, 10, 13))
    assert [finding.code for finding in mask.findings] == ["roi-clipped"]


def test_an_unknown_name_lists_the_names_there(write_rtstruct):
    path = write_rtstruct([("node", [rectangle(2, 5, 3, 9, 1)]), ("mass", [rectangle(2, 5, 3, 9, 1)])])

    with pytest.raises(InputError, match="named 'tumour', found 0; regions: node, mass"):
        read_roi(path, "tumour", GRID)


def test_a_name_that_is_there_twice_is_refused(write_rtstruct):
    path = write_rtstruct([("node", [rectangle(2, 5, 3, 9, 1)])] * 2)

    with pytest.raises(InputError, match="expected one region named 'node', found 2"):
        read_roi(path, "node", GRID)


@pytest.mark.parametrize("contours", [[], [np.array([[0.0, 10.0, 100.0]])]], ids=["none", "a point"])
def test_a_region_without_area_is_refused(write_rtstruct, contours):
    with pytest.raises(DicomError, match="region 'node'"):
        read_roi(write_rtstruct([("node", contours)]), "node", GRID)


def test_an_image_is_no_rtstruct(tmp_path, make_series):
    (path,) = make_series(tmp_path, count=1)

    with pytest.raises(InputError, match=r"expected an RTSTRUCT, found Modality \(0008,0060\) CT"):
        roi_names(path)


# --- the pixels of a polygon -----------------------------------------------------------------------------------------


def test_a_circle_has_the_area_of_a_circle():
    """Pixel counting of a circle of radius 20 is within half a percent."""
    angle = np.linspace(0.0, 2.0 * np.pi, 400, endpoint=False)
    circle = np.stack([30.2 + 20.0 * np.sin(angle), 31.7 + 20.0 * np.cos(angle)], axis=1)

    pixels = inside_polygon(circle, (64, 64))

    j, i = np.indices((64, 64))
    assert pixels.sum() == pytest.approx(np.pi * 400.0, rel=0.005)
    assert np.array_equal(pixels, (j - 30.2) ** 2 + (i - 31.7) ** 2 < 20.0**2)


def test_the_direction_of_drawing_does_not_matter():
    angle = np.linspace(0.0, 2.0 * np.pi, 7, endpoint=False)
    polygon = np.stack([8.1 + 5.0 * np.sin(angle), 7.3 + 5.0 * np.cos(angle)], axis=1)

    assert np.array_equal(inside_polygon(polygon, (16, 16)), inside_polygon(polygon[::-1], (16, 16)))


def test_one_contour_stays_as_it_is():
    joined, overlapping = combine([block(2, 5, 3, 9)])

    assert np.array_equal(joined, block(2, 5, 3, 9))
    assert not overlapping
