"""NIfTI (nibabel) and NRRD (SimpleITK) files to volumes, masks and labels, and back.

RAS to LPS is done here and nowhere else.
"""

import re
from collections.abc import Callable
from itertools import islice, takewhile
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from npcpit_imaging.errors import GeometryError, InputError
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.itk import FILES, geometry_of, set_geometry
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume

NIFTI_SUFFIXES = (".nii", ".nii.gz")
NRRD_SUFFIXES = (".nrrd", ".nhdr")

PATIENT_SPACES = ("left-posterior-superior", "lps", "right-anterior-superior", "ras", "left-anterior-superior", "las")
"""What the field ``space`` of an NRRD says when it lies in the patient; ITK turns all of them to LPS."""

MILLIMETRES = ("", "mm", "millimeter", "millimeters", "millimetre", "millimetres")
"""How the units of an NRRD name what we measure in; empty says nothing."""

NRRD_LINES = 10_000
"""No NRRD header is longer."""

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""NIfTI's world is RAS, DICOM's and ours is LPS."""


def is_image_file(path: Path) -> bool:
    """Tell by its name whether a file is NIfTI or NRRD."""
    return path.name.lower().endswith((*NIFTI_SUFFIXES, *NRRD_SUFFIXES))


def read_volume(path: Path, *, modality: Modality = Modality.OT, unit: Unit = Unit.ARBITRARY) -> Volume:
    """Read a NIfTI or NRRD image.

    Raises:
        InputError: The file cannot be read or is not 3D.
        GeometryError: Its grid is sheared or degenerate.
    """
    array, geometry = _read(path)
    return Volume(
        voxels=array.astype(np.float32),
        geometry=geometry,
        modality=modality,
        unit=unit,
        findings=(*_placeless(path), *_not_finite(array)),
    )


def _placeless(path: Path) -> list[Finding]:
    """Say when a file does not tell where in the patient it lies."""
    if path.name.lower().endswith(NIFTI_SUFFIXES):
        header = nib.load(path).header
        codes = [name for name in ("sform_code", "qform_code") if name in header]
        is_placed, what = not codes or any(int(header[name]) for name in codes), "sform_code and qform_code are 0"
    else:
        space = _nrrd_fields(path).get("space", "")
        is_placed, what = space.lower() in PATIENT_SPACES, f"space is {space or 'absent'}"
    if is_placed:
        return []
    text = (
        f"{what}: the file places the image in no patient; left and right, where it lies and whether its slices are "
        "axial are a guess, and a length rests on the voxel size alone"
    )
    return [Finding(code="no-patient-space", severity=Severity.WARNING, text=text)]


def _nrrd_fields(path: Path) -> dict[str, str]:
    """Return the fields of an NRRD header, which ends at the first empty line (NRRD0005, 2)."""
    with path.open("rb") as file:
        lines = [line.decode("ascii", "replace").strip() for line in takewhile(bytes.strip, islice(file, NRRD_LINES))]
    pairs = (line.partition(": ") for line in lines if not line.startswith("#"))
    return {name.strip(): value.strip() for name, found, value in pairs if found}


def _require_lengths(path: Path, fields: dict[str, str]) -> None:
    """Refuse an NRRD without a voxel size, which would be read as 1 mm, or with one in other lengths than mm."""
    if "space directions" not in fields and "spacings" not in fields:
        raise InputError(f"{path.name}: expected space directions or spacings, found neither: no voxel has a size")
    told = fields.get("space units") or fields.get("units") or ""
    other = sorted({unit for unit in re.findall(r'"([^"]*)"', told) if unit not in MILLIMETRES})
    if other:
        raise InputError(f"{path.name}: expected lengths in mm, found {', '.join(other)}")


def _not_finite(array: NDArray[np.generic]) -> list[Finding]:
    count = array.size - int(np.count_nonzero(np.isfinite(array)))
    if not count:
        return []
    text = f"{count} voxels are NaN or infinite: a value of a region that holds one is no number"
    return [Finding(code="not-finite", severity=Severity.WARNING, text=text)]


def read_labels(path: Path) -> tuple[NDArray[np.int64], Geometry]:
    """Read a NIfTI or NRRD label image: `(K, J, I)` int64, 0 is background.

    Raises:
        InputError: The file cannot be read, is not 3D or holds fractions.
        GeometryError: Its grid is sheared or degenerate.
    """
    array, geometry = _read_whole(path)
    return array.astype(np.int64), geometry


def _read_whole(path: Path) -> tuple[NDArray[np.generic], Geometry]:
    """Read a label image in the type it is stored in: a mask of a whole CT would fill a quarter of a GiB as int64."""
    array, geometry = _read(path)
    is_whole = array.dtype.kind != "f" or (np.isfinite(array).all() and np.array_equal(np.rint(array), array))
    if not is_whole:
        raise InputError(f"{path.name}: expected whole-number labels, found fractional or infinite values or NaN")
    return array, geometry


def read_mask(path: Path, *, label: int | None = None) -> Mask:
    """Read one label of a NIfTI or NRRD file as a mask; all non-zero voxels when the file holds one label.

    Args:
        path: The file.
        label: Which label; needed when the file holds several.

    Raises:
        InputError: The label is not in the file, or it must be chosen; the message lists what is there. Or one is
            negative.
    """
    labels, geometry = _read_whole(path)
    found = [int(value) for value in np.unique(labels[labels != 0])]  # sorting the background too would take seconds
    if found and found[0] < 0:
        raise InputError(f"{path.name}: expected labels of 0 (background) and more, found {found[0]}")
    if label is not None and label not in found:
        raise InputError(f"{path.name}: label {label} not present, found {found or 'only background (0)'}")
    if label is None and len(found) > 1:
        raise InputError(f"{path.name}: expected one label, found {found}; choose one with --label")
    chosen = label if label is not None else (found[0] if found else 1)
    return Mask(voxels=labels == chosen, geometry=geometry, label=str(chosen))


def write_volume(volume: Volume, path: Path) -> None:
    """Write a volume as float32 NIfTI or NRRD, by the file's name.

    Raises:
        InputError: The name is neither, or the file cannot be written.
    """
    _write(volume.voxels, volume.geometry, path)


def write_mask(mask: Mask, path: Path) -> None:
    """Write a mask as uint8 NIfTI or NRRD, by the file's name.

    Raises:
        InputError: The name is neither, or the file cannot be written.
    """
    _write(mask.voxels.astype(np.uint8), mask.geometry, path)


def _read(path: Path) -> tuple[NDArray[np.float64], Geometry]:
    if not path.is_file():
        raise InputError(f"{path.name}: no such file")
    reader: Callable[[Path], tuple[NDArray[np.float64], Geometry]] = _reader(path)
    try:
        array, geometry = reader(path)
    except (InputError, GeometryError):
        raise
    except Exception as error:  # nibabel and ITK raise many kinds for a broken file
        raise InputError(f"{path.name}: cannot be read ({type(error).__name__})") from error
    if array.dtype.kind not in "biuf":
        raise InputError(f"{path.name}: expected one real number a voxel, found {array.dtype}")
    return array, geometry


def _reader(path: Path) -> Callable[[Path], tuple[NDArray[np.float64], Geometry]]:
    name = path.name.lower()
    if name.endswith(NIFTI_SUFFIXES):
        return _read_nifti
    if name.endswith(NRRD_SUFFIXES):
        return _read_nrrd
    raise InputError(f"{path.name}: expected {', '.join((*NIFTI_SUFFIXES, *NRRD_SUFFIXES))}")


def _read_nifti(path: Path) -> tuple[NDArray[np.float64], Geometry]:
    image = nib.load(path)
    array = np.asarray(image.dataobj)
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != 3:
        raise InputError(f"{path.name}: expected a 3D image, found {array.ndim} dimensions {array.shape}")
    length = image.header.get_xyzt_units()[0] if hasattr(image.header, "get_xyzt_units") else "mm"
    if length not in ("mm", "unknown"):
        raise InputError(f"{path.name}: expected lengths in mm, found xyzt_units {length}")
    affine = RAS_TO_LPS @ np.asarray(image.affine, float)
    i, j, k = array.shape
    return array.T, Geometry.from_affine(affine, (k, j, i))


def _read_nrrd(path: Path) -> tuple[NDArray[np.float64], Geometry]:
    with FILES:
        image = sitk.ReadImage(str(path))
    _require_lengths(path, _nrrd_fields(path))
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(
            f"{path.name}: expected a 3D image of one component, found {image.GetDimension()} dimensions "
            f"and {image.GetNumberOfComponentsPerPixel()} components"
        )
    return sitk.GetArrayFromImage(image), geometry_of(image)


def _write(voxels: NDArray[np.generic], geometry: Geometry, path: Path) -> None:
    name = path.name.lower()
    try:
        if name.endswith(NIFTI_SUFFIXES):
            _write_nifti(voxels, geometry, path)
        elif name.endswith(NRRD_SUFFIXES):
            _write_nrrd(voxels, geometry, path)
        else:
            raise InputError(f"{path.name}: expected {', '.join((*NIFTI_SUFFIXES, *NRRD_SUFFIXES))}")
    except OSError as error:
        raise InputError(f"{path.name}: cannot be written ({error.strerror or 'unknown reason'})") from error


def _write_nifti(voxels: NDArray[np.generic], geometry: Geometry, path: Path) -> None:
    image = nib.Nifti1Image(voxels.T, RAS_TO_LPS @ geometry.affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(image.affine, code="scanner")
    image.set_qform(image.affine, code="scanner")
    nib.save(image, path)


def _write_nrrd(voxels: NDArray[np.generic], geometry: Geometry, path: Path) -> None:
    image = sitk.GetImageFromArray(voxels)
    set_geometry(image, geometry)
    try:
        with FILES:
            sitk.WriteImage(image, str(path), useCompression=True)
    except RuntimeError as error:
        raise InputError(f"{path.name}: cannot be written") from error
