"""Write the series as DICOM files: CT, MR and PET Image Storage (PS3.3 A.3, A.4, A.21)."""

from pathlib import Path

import numpy as np
import scenario
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    RLELossless,
)
from scenario import Series, Visit
from shapes import Array
from tissue import T1_WEIGHTED, T2_WEIGHTED

CODINGS = {"RAW": ExplicitVRLittleEndian, "J2K": JPEG2000Lossless, "RLE": RLELossless}
"""Transfer syntax of each coding name."""

CLASSES = {"CT": CTImageStorage, "MR": MRImageStorage, "PT": PositronEmissionTomographyImageStorage}
"""SOP class of each modality."""

NUMBERS = {"CT": 2, "MR_T1": 3, "MR_T2": 4, "PET_CT": 2, "PET": 3}
"""Series numbers."""

DESCRIPTIONS = {
    "CT": "Neck venous 2.5/3 mm",
    "MR_T1": "T1 SE tra",
    "MR_T2": "T2 TSE tra",
    "PET_CT": "PET/CT low dose",
    "PET": "PET AC",
}
"""Series descriptions."""

MR_SCALE = 800.0
"""Stored value of fully relaxed water in MR images."""

FRAME_MS = 240000
"""Duration of the PET's single bed position."""


def write_series(folder: Path, visit: Visit, series: Series, image: Array) -> None:
    """Write one series, one file a slice.

    Args:
        folder: Made when missing.
        visit: The time point.
        series: What to write.
        image: `(K, J, I)` HU, signal relative to water, or SUV body weight.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(image.shape[0]):
        dataset = slice_dataset(visit, series, image[index], index)
        if series.coding != "RAW":
            dataset.compress(CODINGS[series.coding], generate_instance_uid=False)
        dataset.save_as(folder / f"{index + 1:03d}.dcm", enforce_file_format=True)


def slice_dataset(visit: Visit, series: Series, plane: Array, index: int) -> FileDataset:
    """Return one slice as an uncompressed dataset; `plane` is `(J, I)`, `index` its 0-based position from below."""
    modality = modality_of(series)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CLASSES[modality]
    meta.MediaStorageSOPInstanceUID = scenario.uid(visit.name, series.folder, "image", str(index))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    _patient_and_study(dataset, visit, series)
    _equipment(dataset, series)
    _plane(dataset, visit, series, index)
    {"CT": _ct, "MR": _mr, "PT": _pet}[modality](dataset, visit, series, plane, index)
    return dataset


def modality_of(series: Series) -> str:
    """Return the DICOM modality of a series."""
    return {"PET": "PT", "PET_CT": "CT"}.get(series.folder, series.folder[:2])


def acquisition_time(visit: Visit, series: Series) -> str:
    """Return when a series was acquired (HHMMSS); the low-dose CT precedes its PET by two minutes."""
    if series.frame == "PET":
        start = scenario.seconds(visit.pet_start) - (120 if series.folder == "PET_CT" else 0)
    else:
        start = scenario.seconds({"CT": "083000", "MR_T1": "134000", "MR_T2": "134800"}[series.folder])
    return f"{start // 3600:02d}{start // 60 % 60:02d}{start % 60:02d}"


def _patient_and_study(dataset: Dataset, visit: Visit, series: Series) -> None:
    day = visit.day.strftime("%Y%m%d")
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName, dataset.PatientID = scenario.PATIENT_NAME, scenario.PATIENT_ID
    dataset.PatientBirthDate, dataset.PatientSex = scenario.BIRTH_DATE.strftime("%Y%m%d"), scenario.SEX
    dataset.PatientAge = f"{(visit.day - scenario.BIRTH_DATE).days // 365.25:03.0f}Y"
    dataset.PatientWeight, dataset.PatientSize = visit.weight_kg, scenario.HEIGHT_M
    dataset.StudyInstanceUID = scenario.study_uid(visit, series)
    dataset.SeriesInstanceUID = scenario.series_uid(visit, series)
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = scenario.frame_uid(visit, series), ""
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = day
    dataset.StudyTime = {"CT": "082500", "MR": "133500", "PET": visit.injected}[series.frame]
    dataset.SeriesTime = dataset.AcquisitionTime = dataset.ContentTime = acquisition_time(visit, series)
    dataset.StudyID, dataset.AccessionNumber = f"{visit.name}-{series.frame}", f"SYN{day}{series.frame}"
    dataset.ReferringPhysicianName = "FICTITIOUS^REFERRER"
    dataset.StudyDescription = {"CT": "CT neck with contrast", "MR": "MR neck", "PET": "FDG PET/CT head and neck"}[
        series.frame
    ]
    dataset.SeriesNumber, dataset.SeriesDescription = NUMBERS[series.folder], DESCRIPTIONS[series.folder]


def _equipment(dataset: Dataset, series: Series) -> None:
    dataset.Modality = modality_of(series)
    dataset.Manufacturer, dataset.ManufacturerModelName = "npcpit sample", f"Synthetic {series.frame}"
    dataset.InstitutionName, dataset.StationName = "Fictitious Hospital", f"SYN{series.frame}"
    dataset.DeviceSerialNumber, dataset.SoftwareVersions = "0001", "1"
    dataset.OperatorsName = "FICTITIOUS^OPERATOR"
    dataset.BodyPartExamined = "HEADNECK"
    if series.folder != "PET":  # PET says it in PatientOrientationCodeSequence instead (PS3.3 C.7.3.1.1.2)
        dataset.PatientPosition = "HFS"


def _plane(dataset: Dataset, visit: Visit, series: Series, index: int) -> None:
    grid = series.grid
    planes, rows, columns = grid.shape_kji
    axes = grid.affine[:3, :3] / grid.spacing_mm
    dataset.ImagePositionPatient = [_decimal(v) for v in grid.affine[:3, 3] + index * grid.affine[:3, 2]]
    dataset.ImageOrientationPatient = [_decimal(v) for v in (*axes[:, 0], *axes[:, 1])]
    dataset.PixelSpacing = [_decimal(series.spacing_mm[0])] * 2
    dataset.SliceThickness = _decimal(series.spacing_mm[1])
    dataset.SliceLocation = _decimal(float(axes[:, 2] @ (grid.affine[:3, 3] + index * grid.affine[:3, 2])))
    # Numbered from the head down, as many scanners do: readers must sort by position.
    dataset.InstanceNumber, dataset.AcquisitionNumber = planes - index, 1
    dataset.Rows, dataset.Columns = rows, columns
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.PixelRepresentation = 16, 0
    dataset.PositionReferenceIndicator = "" if series.frame == "MR" else "OM"


def _decimal(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".") if abs(value) >= 5e-7 else "0"


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _pixels(dataset: Dataset, stored: Array, bits: int) -> None:
    dataset.BitsStored, dataset.HighBit = bits, bits - 1
    dataset.PixelData = np.clip(np.round(stored), 0, 2**bits - 1).astype("<u2").tobytes()
    dataset["PixelData"].VR = "OW"


def _ct(dataset: Dataset, visit: Visit, series: Series, plane: Array, index: int) -> None:
    low_dose = series.folder == "PET_CT"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = -1024, 1, "HU"
    dataset.KVP, dataset.XRayTubeCurrent, dataset.ExposureTime = "120", 60 if low_dose else 240, 500
    dataset.Exposure = 30 if low_dose else 120
    dataset.ConvolutionKernel = "B31f" if not low_dose else "B19f"
    dataset.ScanOptions, dataset.RotationDirection, dataset.FilterType = "HELIX", "CW", "WEDGE_2"
    dataset.GantryDetectorTilt, dataset.TableHeight = "0", "140"
    dataset.DataCollectionDiameter = "500"
    dataset.ReconstructionDiameter = _decimal(series.size[0] * series.spacing_mm[0])
    dataset.WindowCenter, dataset.WindowWidth = "60", "350"
    if not low_dose:
        dataset.ContrastBolusAgent, dataset.ContrastBolusRoute = "IOHEXOL 300", "IV"
        dataset.ContrastBolusVolume, dataset.ContrastBolusStartTime = "90", "082845"
        dataset.ContrastBolusIngredient, dataset.ContrastBolusIngredientConcentration = "IODINE", "300"
    _pixels(dataset, plane + 1024, 12)


def _mr(dataset: Dataset, visit: Visit, series: Series, plane: Array, index: int) -> None:
    repetition, echo = T1_WEIGHTED if series.folder == "MR_T1" else T2_WEIGHTED
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    dataset.ScanningSequence, dataset.SequenceVariant = "SE", "NONE" if series.folder == "MR_T1" else "SK"
    dataset.ScanOptions, dataset.MRAcquisitionType = "", "2D"
    dataset.SequenceName = "se" if series.folder == "MR_T1" else "tse"
    dataset.RepetitionTime, dataset.EchoTime = _decimal(repetition), _decimal(echo)
    dataset.EchoTrainLength = 1 if series.folder == "MR_T1" else 15
    dataset.MagneticFieldStrength, dataset.ImagingFrequency, dataset.ImagedNucleus = "1.5", "63.87", "1H"
    dataset.SpacingBetweenSlices = _decimal(series.spacing_mm[1])
    dataset.SliceThickness = _decimal(series.spacing_mm[1] - 0.4)
    dataset.NumberOfAverages, dataset.FlipAngle, dataset.EchoNumbers = (
        "2",
        "90" if series.folder == "MR_T1" else "150",
        1,
    )
    dataset.PixelBandwidth, dataset.ReceiveCoilName = "130", "HeadNeck_20"
    dataset.WindowCenter, dataset.WindowWidth = "200", "400"
    _pixels(dataset, plane * MR_SCALE, 12)


def _pet(dataset: Dataset, visit: Visit, series: Series, plane: Array, index: int) -> None:
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.Units, dataset.CountsSource, dataset.SeriesType = "BQML", "EMISSION", ["STATIC", "IMAGE"]
    dataset.NumberOfSlices, dataset.ImageIndex = series.size[1], series.size[1] - index
    dataset.CorrectedImage = ["NORM", "DTIM", "RAN", "ATTN", "SCAT", "DECY"]
    dataset.DecayCorrection, dataset.CollimatorType = "START", "NONE"
    dataset.RandomsCorrectionMethod, dataset.ScatterCorrectionMethod = "DLYD", "Model-based"
    dataset.AttenuationCorrectionMethod = "CT-derived mu map"
    dataset.ReconstructionMethod = "PSF+TOF 3i21s"
    dataset.ActualFrameDuration, dataset.AcquisitionStartCondition = FRAME_MS, ""
    decay = np.log(2) / scenario.HALF_LIFE_S
    spread = decay * FRAME_MS / 1000.0
    factor = spread / (1.0 - np.exp(-spread))
    dataset.DecayFactor = f"{factor:.6f}"
    dataset.FrameReferenceTime = f"{np.log(factor) / decay * 1000.0:.1f}"
    _tracer(dataset, visit)
    activity = plane / (visit.weight_kg * 1000.0) * dose_at_start_bq(visit)
    # A slope per slice, as real scanners store PET: readers must rescale slice by slice.
    slope = f"{max(float(activity.max()), 1.0) / 32000.0:.8g}"
    dataset.RescaleIntercept, dataset.RescaleSlope = "0", slope
    window = float(activity.max()) or 1.0
    dataset.WindowCenter, dataset.WindowWidth = f"{window / 2:.0f}", f"{window:.0f}"
    _pixels(dataset, activity / float(slope), 16)


def dose_at_start_bq(visit: Visit) -> float:
    """Return the injected activity decayed to the start of the PET acquisition."""
    waited = scenario.seconds(visit.pet_start) - scenario.seconds(visit.injected)
    return float(visit.dose_bq * 2.0 ** (-waited / scenario.HALF_LIFE_S))


def _tracer(dataset: Dataset, visit: Visit) -> None:
    tracer = Dataset()
    tracer.RadionuclideCodeSequence = Sequence([_code("77004003", "SCT", "^18^Fluorine")])
    tracer.RadiopharmaceuticalCodeSequence = Sequence([_code("35321007", "SCT", "Fluorodeoxyglucose F^18^")])
    tracer.Radiopharmaceutical, tracer.RadiopharmaceuticalRoute = "Fluorodeoxyglucose", "IV"
    tracer.RadiopharmaceuticalStartTime = visit.injected
    tracer.RadiopharmaceuticalStartDateTime = f"{visit.day:%Y%m%d}{visit.injected}"
    tracer.RadionuclideTotalDose, tracer.RadionuclideHalfLife = f"{visit.dose_bq:.0f}", f"{scenario.HALF_LIFE_S}"
    tracer.RadionuclidePositronFraction = "0.967"
    dataset.RadiopharmaceuticalInformationSequence = Sequence([tracer])
    orientation = _code("102538003", "SCT", "recumbent")
    orientation.PatientOrientationModifierCodeSequence = Sequence([_code("40199007", "SCT", "supine")])
    dataset.PatientOrientationCodeSequence = Sequence([orientation])
    dataset.PatientGantryRelationshipCodeSequence = Sequence([_code("102540008", "SCT", "headfirst")])
