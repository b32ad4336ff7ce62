"""A synthetic cohort: small CT of head-like phantoms with two lesions, as DICOM, and the tables people would hand in.

Every voxel is computed from formulas; nothing comes from a patient. The same seed gives the same files.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

SHAPE = (24, 56, 56)
SPACING_MM = (5.0, 3.2, 3.2)
ROOT = "1.2.826.0.1.3680043.10.1777"
"""UIDs of invented objects."""

READER = "SCRIPTED"
LABEL = "SCRIPTED READ: made by the benchmark, not by a person."
FIRST_DAY = date(2022, 1, 10)
INTERVAL_DAYS = 56


@dataclass(frozen=True, kw_only=True)
class PhantomLesion:
    """An ellipsoid that grows or shrinks; the long axis lies in the slice at an angle to x."""

    name: str
    centre_mm: tuple[float, float, float]
    long_mm: tuple[float, ...]
    irradiated: bool
    angle: float

    def ends_mm(self, visit: int, *, short: bool = False) -> list[tuple[float, ...]]:
        """Both ends of the visit's long or short axis, in the patient's own frame."""
        turn = self.angle + (np.pi / 2 if short else 0.0)
        half = self.long_mm[visit] * (SHORT_SHARE if short else 1.0) / 2
        along = half * np.array([np.cos(turn), np.sin(turn), 0.0])
        return [tuple(self.centre_mm - along), tuple(self.centre_mm + along)]


SHORT_SHARE = 0.75


@dataclass(frozen=True, kw_only=True)
class PhantomSubject:
    """One invented subject."""

    number: int
    lesions: tuple[PhantomLesion, ...]
    shifts_mm: tuple[tuple[float, float, float], ...]

    @property
    def code(self) -> str:
        """The subject code."""
        return f"SYN-{self.number:04}"

    @property
    def patient_id(self) -> str:
        """What stands for a hospital's Patient ID."""
        return f"INVENTED{self.number:05}"


def make_subject(number: int, *, visits: int, seed: int = 1) -> PhantomSubject:
    """Draw one subject's lesions and how it lies in the scanner at each visit."""
    chance = np.random.default_rng([seed, number])

    def lesion(name: str, x_mm: float, y_mm: float, *, irradiated: bool) -> PhantomLesion:
        size, trend = chance.uniform(18, 34), chance.uniform(0.75, 1.12)
        sizes = tuple(float(max(size * trend**visit * chance.uniform(0.97, 1.03), 9.0)) for visit in range(visits))
        height = SPACING_MM[0] * int(chance.integers(-5, 6))  # in the middle of a slice
        centre = (x_mm + chance.uniform(-4, 4), y_mm + chance.uniform(-4, 4), height)
        angle = chance.uniform(0, np.pi)
        return PhantomLesion(name=name, centre_mm=centre, long_mm=sizes, irradiated=irradiated, angle=angle)

    lesions = (lesion("T01", -24, 8, irradiated=True), lesion("T02", 26, 18, irradiated=False))
    moved = [(round(x), round(y), SPACING_MM[0]) for x, y in chance.uniform(-4, 4, (visits - 1, 2)).tolist()]
    return PhantomSubject(number=number, lesions=lesions, shifts_mm=((0.0, 0.0, 0.0), *moved))


def _origin_mm() -> NDArray[np.float64]:
    """Centre of the first voxel, x, y, z: the middle slice's centre lies at z = 0."""
    return np.array(
        [-(SHAPE[2] - 1) / 2 * SPACING_MM[2], -(SHAPE[1] - 1) / 2 * SPACING_MM[1], -SHAPE[0] // 2 * SPACING_MM[0]]
    )


def voxels(subject: PhantomSubject, visit: int) -> NDArray[np.int16]:
    """HU of one visit, `(K, J, I)`; the head lies moved by the visit's shift."""
    k, j, i = np.indices(SHAPE)
    origin = _origin_mm() - subject.shifts_mm[visit]
    x, y, z = (origin[0] + i * SPACING_MM[2], origin[1] + j * SPACING_MM[1], origin[2] + k * SPACING_MM[0])
    image = np.full(SHAPE, -1000.0)
    wide = 1 + 0.01 * (subject.number % 7)
    head = (x / (72 * wide)) ** 2 + (y / 88) ** 2 < 1
    image[head] = 40.0
    ring = head & ((x / (66 * wide)) ** 2 + (y / 82) ** 2 >= 1)
    image[ring & (z > -20)] = 900.0  # a skull that is open below
    image[((x - 3) / 12) ** 2 + ((y + 20) / 16) ** 2 + ((z + 6) / 40) ** 2 < 1] = -950.0  # airway
    image[(x / 14) ** 2 + ((y - 62) / 14) ** 2 < 1] = 600.0  # spine
    for side in (-1, 1):
        image[((x - side * 30) / 10) ** 2 + ((y + 48) / 10) ** 2 + ((z - 30) / 12) ** 2 < 1] = 5.0  # eyes
        image[((x - side * 44) / 8) ** 2 + ((y + 6 * side) / 14) ** 2 + ((z + 44) / 14) ** 2 < 1] = 300.0
    for lesion in subject.lesions:
        image[_inside(lesion, visit, x, y, z)] = 105.0
    noise = np.random.default_rng([7, subject.number, visit]).normal(0, 8, SHAPE)
    return np.round(image + noise).astype(np.int16)


def _inside(
    lesion: PhantomLesion, visit: int, x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]
) -> NDArray[np.bool_]:
    dx, dy, dz = (place - centre for place, centre in zip((x, y, z), lesion.centre_mm, strict=True))
    along = dx * np.cos(lesion.angle) + dy * np.sin(lesion.angle)
    across = -dx * np.sin(lesion.angle) + dy * np.cos(lesion.angle)
    half = lesion.long_mm[visit] / 2
    return (along / half) ** 2 + (across / (half * SHORT_SHARE)) ** 2 + (dz / (half * 0.8)) ** 2 < 1


def day_of(visit: int) -> date:
    """The hospital's date of a visit."""
    return FIRST_DAY + timedelta(days=INTERVAL_DAYS * visit)


def write_visit(subject: PhantomSubject, visit: int, folder: Path) -> None:
    """Write one visit's CT as DICOM, a file a slice."""
    folder.mkdir(parents=True, exist_ok=True)
    image, origin = voxels(subject, visit), _origin_mm()
    series = f"{ROOT}.{subject.number}.{visit + 1}"
    for k in range(SHAPE[0]):
        position = [origin[0], origin[1], origin[2] + k * SPACING_MM[0]]
        dataset = _slice(subject, visit, f"{series}.{k + 1}", series, position)
        dataset.InstanceNumber = k + 1
        dataset.PixelData = (image[k].astype(np.int32) + 1024).clip(0, 4095).astype("<u2").tobytes()
        pydicom.dcmwrite(folder / f"{k + 1:03}.dcm", dataset, enforce_file_format=True)


def _slice(subject: PhantomSubject, visit: int, uid: str, series: str, position: Sequence[float]) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, uid
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = (
        f"{series}.0",
        series,
        f"{series}.9999",
    )
    dataset.PatientID, dataset.PatientName, dataset.PatientSex = subject.patient_id, "Invented^Person", "O"
    dataset.Modality, dataset.SeriesDescription, dataset.Manufacturer = "CT", "SYNTHETIC NECK", "SYNTHETIC"
    day = day_of(visit).strftime("%Y%m%d")
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = day
    dataset.StudyTime = dataset.SeriesTime = dataset.AcquisitionTime = "100000"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.ImagePositionPatient = [float(value) for value in position]
    dataset.PixelSpacing, dataset.SliceThickness = [SPACING_MM[1], SPACING_MM[2]], SPACING_MM[0]
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = 1, -1024, "HU"
    dataset.Rows, dataset.Columns = SHAPE[1:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.KVP = 120
    for empty in (
        "PatientBirthDate",
        "AccessionNumber",
        "StudyID",
        "ReferringPhysicianName",
        "PositionReferenceIndicator",
    ):
        setattr(dataset, empty, "")
    return dataset


def visit_name(visit: int) -> str:
    """How the study names a visit."""
    return "BASELINE" if visit == 0 else f"FU{visit}"


def write_tables(study_folder: Path, cohort: Sequence[PhantomSubject], *, visits: int) -> None:
    """Hand in subjects, lesions, prompts, reads and treatments."""
    tables = study_folder / "tables"
    codes = [{"patient_id": each.patient_id, "subject": each.code} for each in cohort]
    _write(study_folder / "vault" / "subjects.csv", codes)
    pairs = [(subject, lesion) for subject in cohort for lesion in subject.lesions]
    _write(tables / "lesions.csv", [_lesion(subject, lesion) for subject, lesion in pairs])
    _write(tables / "prompts.csv", [row for pair in pairs for row in _prompts(*pair, visits=visits)])
    _write(tables / "reads.csv", [row for pair in pairs for row in _reads(*pair, visits=visits)])
    treated = [
        {"subject": subject.code, "lesion": lesion.name, "cycle": 1, "date": FIRST_DAY + timedelta(days=10)}
        for subject, lesion in pairs
        if lesion.irradiated
    ]
    _write(tables / "treatments.csv", treated)


def _write(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _lesion(subject: PhantomSubject, lesion: PhantomLesion) -> dict[str, object]:
    return {
        "subject": subject.code,
        "lesion": lesion.name,
        "role": "TARGET",
        "organ": "NASOPHARYNX" if lesion.irradiated else "PAROTID",
        "location": "NASOPHARYNX" if lesion.irradiated else "PAROTID GLAND",
        "nodal": "no",
        "irradiated": "yes" if lesion.irradiated else "no",
        "prior_rt": "yes",
        "prior_rt_progression_documented": "yes",
    }


def _moved(subject: PhantomSubject, visit: int, ends: Sequence[Sequence[float]]) -> str:
    moved = [np.add(end, subject.shifts_mm[visit]) for end in ends]
    return ":".join(",".join(f"{value:.3f}" for value in end) for end in moved)


def _prompts(subject: PhantomSubject, lesion: PhantomLesion, *, visits: int) -> Iterator[dict[str, object]]:
    for visit in range(visits):
        axes = [_moved(subject, visit, lesion.ends_mm(visit, short=short)) for short in (False, True)]
        yield {
            "subject": subject.code,
            "timepoint": visit_name(visit),
            "lesion": lesion.name,
            "modality": "CT",
            "kind": "bidirectional",
            "coordinates_mm": ":".join(axes),
        }


def _reads(subject: PhantomSubject, lesion: PhantomLesion, *, visits: int) -> Iterator[dict[str, object]]:
    for visit in range(visits):
        yield {
            "subject": subject.code,
            "timepoint": visit_name(visit),
            "reader": READER,
            "lesion": lesion.name,
            "state": "measured",
            "accept": "proposal",
            "label": LABEL,
        }
