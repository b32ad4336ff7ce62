"""Tiny DICOM series made with pydicom, to break in one way at a time."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

SOP_CLASS = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
}

MakeSeries = Callable[..., list[Path]]


def slice_dataset(modality: str, stored: NDArray[np.integer], position_mm: tuple[float, float, float]) -> FileDataset:
    """One classic slice with every element a volume needs."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SOP_CLASS.get(modality, SOP_CLASS["CT"])
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.Modality = modality
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = "20240105"
    dataset.StudyTime = dataset.SeriesTime = dataset.AcquisitionTime = "120000"
    dataset.PatientName = "Somebody^Secret"
    dataset.PatientID = "SECRET-ID"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.ImagePositionPatient = [float(value) for value in position_mm]
    dataset.ImageOrientationPatient = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    dataset.PixelSpacing = [0.5, 0.25]
    dataset.SliceThickness = 3.0
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8 * stored.dtype.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(np.issubdtype(stored.dtype, np.signedinteger))
    if modality in ("CT", "PT"):
        dataset.RescaleSlope, dataset.RescaleIntercept = 1.0, -1024.0 if modality == "CT" else 0.0
    if modality == "PT":
        add_pet_values(dataset)
    dataset.PixelData = stored.tobytes()
    return dataset


def add_pet_values(dataset: Dataset) -> None:
    """An injection of 280 MBq one half-life (6586.2 s) before the scan at 12:00:00; 70 kg."""
    dataset.Units = "BQML"
    dataset.DecayCorrection = "START"
    dataset.CorrectedImage = ["DECY", "ATTN"]
    dataset.PatientWeight = 70.0
    dataset.ActualFrameDuration = 120000
    item = Dataset()
    item.RadiopharmaceuticalStartTime = "101013.8"
    item.RadionuclideTotalDose = 280e6
    item.RadionuclideHalfLife = 6586.2
    dataset.RadiopharmaceuticalInformationSequence = Sequence([item])


def stored_slice(k: int, shape_ji: tuple[int, int] = (6, 8)) -> NDArray[np.int16]:
    """Stored values that tell slice, row and column: 100 k + 10 j + i."""
    j, i = np.indices(shape_ji)
    return (100 * k + 10 * j + i).astype(np.int16)


@pytest.fixture
def make_series() -> MakeSeries:
    """Write a series of slices 3 mm apart into a folder; returns the files in the order of their position.

    Arguments of the factory:
        folder: Where to write; made when missing.
        modality: CT, MR or PT.
        count: Number of slices.
        stored: Stored values for a slice number; 100 k + 10 j + i by default.
        change: Called with (dataset, k) before writing, to break or vary one thing.
        values: DICOM keywords that are the same in all slices.
    """

    def make(
        folder: Path,
        *,
        modality: str = "CT",
        count: int = 4,
        stored: Callable[[int], NDArray[np.integer]] = stored_slice,
        change: Callable[[FileDataset, int], None] | None = None,
        values: Mapping[str, object] | None = None,
        spacing_mm: float = 3.0,
    ) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        shared = {
            "StudyInstanceUID": generate_uid(),
            "SeriesInstanceUID": generate_uid(),
            "FrameOfReferenceUID": generate_uid(),
        } | dict(values or {})
        files = []
        for k in range(count):
            dataset = slice_dataset(modality, stored(k), (10.0, 20.0, 30.0 + spacing_mm * k))
            dataset.InstanceNumber = count - k  # against the position, on purpose
            for keyword, value in shared.items():
                setattr(dataset, keyword, value)
            if change is not None:
                change(dataset, k)
            # names in an order that is neither position nor number, and no suffix
            files.append(folder / f"{(k * 7) % 11:02d}-{dataset.SOPInstanceUID}")
            pydicom.dcmwrite(files[-1], dataset, enforce_file_format=True)
        return files

    return make
