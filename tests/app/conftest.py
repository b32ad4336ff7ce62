"""A study folder made as a person makes it, and tiny DICOM objects to put into it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from npcpit_imaging.app.importing import ArrivalReport, ProgressBar, Tick, import_folder
from npcpit_imaging.app.study import Study, init_study, open_study

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
HOSPITAL_ID = "HOSPITAL-4711"
SUBJECT = "NPC-0001"

WriteSeries = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An initialised study folder that knows one patient's subject code."""
    made = tmp_path / "study"
    init_study(made)
    (made / "vault" / "subjects.csv").write_text(f"patient_id,subject\n{HOSPITAL_ID},{SUBJECT}\n", encoding="utf-8")
    return made


@pytest.fixture
def study(folder: Path) -> Iterator[Study]:
    with open_study(folder) as opened:
        yield opened


@contextmanager
def quietly(title: str, total: int) -> Iterator[Tick]:
    """A progress bar that shows nothing."""
    yield lambda: None


def a_slice(day: str, series: str, number: int, *, modality: str = "CT", patient: str = HOSPITAL_ID) -> FileDataset:
    """One 8 x 8 slice; UIDs are made from the series' number, so the same call is the same object."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CT_IMAGE_STORAGE
    meta.MediaStorageSOPInstanceUID = f"1.2.3.{series}.{number}"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = CT_IMAGE_STORAGE, meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"1.2.3.{series}", f"1.2.3.{series}.0"
    dataset.FrameOfReferenceUID = f"1.2.3.{series}.9999"
    dataset.PatientID, dataset.PatientName, dataset.Modality = patient, "Secret^Name", modality
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = day
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.ImagePositionPatient = [0, 0, 2.5 * number]
    dataset.PixelSpacing, dataset.SliceThickness = [1, 1], 2.5
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = 1, -1024, "HU"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.Rows = dataset.Columns = 8
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.PixelData = np.full((8, 8), number, np.uint16).tobytes()
    return dataset


@pytest.fixture
def write_series(tmp_path: Path) -> WriteSeries:
    return series_writer(tmp_path)


def series_writer(folder: Path) -> WriteSeries:
    """Write a CT series of a day into a folder beside the study; returns the folder."""

    def write(day: str, series: str, *, count: int = 3, into: str = "", **values: str) -> Path:
        target = folder / (into or f"series-{series}")
        target.mkdir(exist_ok=True)
        for number in range(count):
            dataset = a_slice(day, series, number, **values)
            pydicom.dcmwrite(target / f"{series}-{number}", dataset, enforce_file_format=True)
        return target

    return write


@pytest.fixture
def quiet() -> ProgressBar:
    return quietly


@pytest.fixture
def arrive(study: Study) -> Callable[[Path], ArrivalReport]:
    """Import a folder into the study."""
    return lambda source: import_folder(study, source, progress=quietly)
