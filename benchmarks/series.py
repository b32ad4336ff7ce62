"""Reading a series to a float volume: ours, dcm2niix and SimpleITK's ImageSeriesReader, in one run.

    python benchmarks/series.py [--slices 300] [--repeats 5] [--only uncompressed] [--folder DIR] [--json]
    python benchmarks/series.py --compare ../shared/data/images        # voxel by voxel against dcm2niix

What each does: ours and SimpleITK read a folder to a float32 array in memory (order by position, rescale), each in a
process of its own, timed without the interpreter's start; dcm2niix reads the folder and writes an uncompressed int16
.nii, timed as a whole process; ``npcpit volume`` writes a float32 .nii, timed as a whole process. All files lie in the
page cache.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEG2000Lossless, generate_uid
from series_compare import compare

KINDS = {"uncompressed": False, "JPEG 2000 lossless": True}
"""Kinds of pixels, and whether they are compressed."""

OURS = """
import sys, time, resource
from pathlib import Path
from npcpit_imaging.dicom.load import load_folder
begin, cpu = time.perf_counter(), time.process_time()
volume = load_folder(Path(sys.argv[1]))
print(time.perf_counter() - begin, time.process_time() - cpu, float(volume.voxels.mean(dtype=float)))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
SIMPLEITK = """
import sys, time, resource
import SimpleITK as sitk
begin, cpu = time.perf_counter(), time.process_time()
reader = sitk.ImageSeriesReader()
reader.SetFileNames(reader.GetGDCMSeriesFileNames(sys.argv[1]))
reader.SetOutputPixelType(sitk.sitkFloat32)
image = reader.Execute()
array = sitk.GetArrayViewFromImage(image)
print(time.perf_counter() - begin, time.process_time() - cpu, float(array.mean(dtype=float)))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def phantom_slice(k: int, slices: int, chance: np.random.Generator) -> NDArray[np.int16]:
    """A head of soft tissue with bone and air, 512 x 512, and the noise of a CT (12 HU)."""
    j, i = np.ogrid[-1:1:512j, -1:1:512j]
    z = 2.0 * k / slices - 1.0
    head = (i / 0.7) ** 2 + (j / 0.85) ** 2 + (0.6 * z) ** 2
    values = np.where(head < 1.0, 40.0, -1000.0) + np.where((head > 0.86) & (head < 1.0), 900.0, 0.0)
    values += np.where((i / 0.12) ** 2 + ((j + 0.3) / 0.18) ** 2 < 1.0, -980.0, 0.0)
    return (values + chance.normal(0.0, 12.0, values.shape)).clip(-1024, 3071).astype(np.int16) + np.int16(1024)


def header(k: int, uids: Sequence[str]) -> FileDataset:
    """A CT header of the length hospitals send: 70 elements, sequences and a private block among them."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = uids
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"]
    for name in ("Study", "Series", "Acquisition", "Content"):
        setattr(dataset, f"{name}Date", "20240105")
        setattr(dataset, f"{name}Time", "120000.123000" if name != "Content" else f"12{k // 60:02d}{k % 60:02d}.5")
    texts = ("AccessionNumber", "StudyID", "StudyDescription", "SeriesDescription", "ProtocolName", "StationName",
             "ManufacturerModelName", "InstitutionName", "DeviceSerialNumber", "SoftwareVersions", "FilterType",
             "BodyPartExamined", "PositionReferenceIndicator", "PatientComments", "ImageComments")  # fmt: skip
    for name in texts:
        setattr(dataset, name, "BENCHMARK")
    dataset.Manufacturer, dataset.Modality, dataset.PatientPosition = "SIEMENS", "CT", "HFS"
    dataset.PatientID, dataset.PatientName, dataset.PatientSex, dataset.PatientAge = "B", "B", "O", "050Y"
    dataset.KVP, dataset.ExposureTime, dataset.XRayTubeCurrent, dataset.Exposure = "120", 500, 200, 100
    dataset.SliceThickness, dataset.SpacingBetweenSlices, dataset.GantryDetectorTilt = "1", "1", "0"
    dataset.DataCollectionDiameter = dataset.ReconstructionDiameter = "500"
    dataset.DistanceSourceToDetector, dataset.DistanceSourceToPatient = "1040", "570"
    dataset.TableHeight, dataset.RotationDirection, dataset.FocalSpots = "150", "CW", ["0.7"]
    dataset.ConvolutionKernel, dataset.WindowCenter, dataset.WindowWidth = ["B30f"], ["40"], ["400"]
    dataset.SeriesNumber, dataset.AcquisitionNumber, dataset.InstanceNumber = 3, 1, k + 1
    dataset.ImagePositionPatient = ["-249.51171875", "-399.51171875", f"{-700.0 + k:.3f}"]
    dataset.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    dataset.PixelSpacing, dataset.SliceLocation = ["0.9765625", "0.9765625"], f"{-700.0 + k:.3f}"
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = "1", "-1024", "HU"
    dataset.RequestAttributesSequence = Items([_coded("RequestedProcedureID")])
    dataset.ReferencedImageSequence = Items([_reference() for _ in range(2)])
    private = dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    private.add_new(0x10, "OB", bytes(6000))
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = 512, 512
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    return dataset


def _coded(keyword: str) -> Dataset:
    item = Dataset()
    setattr(item, keyword, "1")
    return item


def _reference() -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CTImageStorage, generate_uid()
    return item


def write_series(folder: Path, slices: int, *, compressed: bool) -> None:
    """Write the benchmark's CT, JPEG 2000 lossless where asked; one that is there already is used again."""
    if folder.is_dir() and len(list(folder.iterdir())) == slices:
        return
    folder.mkdir()
    chance, uids = np.random.default_rng(4), [generate_uid() for _ in range(3)]
    for k in range(slices):
        dataset = header(k, uids)
        dataset.PixelData = phantom_slice(k, slices, chance).tobytes()
        dataset["PixelData"].VR = "OW"
        if compressed:
            dataset.compress(JPEG2000Lossless, generate_instance_uid=False)
        pydicom.dcmwrite(folder / f"IM{(k * 7919) % slices:05d}.dcm", dataset, enforce_file_format=True)


Spent = tuple[float, float, float]
"""Wall seconds, CPU seconds of all threads, and peak memory in MB (NaN where not known)."""


def in_memory(code: str, folder: Path) -> Spent:
    """What reading costs inside a fresh interpreter, its start and imports left out."""
    ended = subprocess.run([sys.executable, "-c", code, str(folder)], check=True, capture_output=True, text=True)
    first, last = ended.stdout.strip().splitlines()
    wall, cpu, *_ = first.split()
    return float(wall), float(cpu), int(last) / 1024


def as_process(command: Sequence[str]) -> Spent:
    """What a whole process costs."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, float("nan")


def contestants(folder: Path, output: Path) -> dict[str, Callable[[], Spent]]:
    """What is timed, by name."""
    to_nifti = [
        sys.executable,
        "-c",
        "from npcpit_imaging.cli import main; main()",
        "volume",
        str(folder),
        "-o",
        str(output / "ours.nii"),
    ]
    dcm2niix = ["dcm2niix", "-z", "n", "-b", "n", "-w", "1", "-f", "theirs", "-o", str(output), str(folder)]
    return {
        "dcm2niix": lambda: as_process(dcm2niix),
        "ours, in memory": lambda: in_memory(OURS, folder),
        "SimpleITK, in memory": lambda: in_memory(SIMPLEITK, folder),
        "npcpit volume, process": lambda: as_process(to_nifti),
    }


def race(folder: Path, output: Path, repeats: int) -> dict[str, dict[str, float]]:
    """Time every contestant in turn, `repeats` rounds; the first round only warms the page cache."""
    everybody = contestants(folder, output)
    found: dict[str, list[Spent]] = {name: [] for name in everybody}
    for round_ in range(repeats + 1):
        for name, run in everybody.items():
            spent = run()
            if round_:
                found[name].append(spent)
    rows = {name: np.array(each) for name, each in found.items()}
    base_wall, base_cpu, _ = np.median(rows["dcm2niix"], axis=0)
    return {name: _row(each, float(base_wall), float(base_cpu)) for name, each in rows.items()}


def _row(spent: NDArray[np.float64], base_wall: float, base_cpu: float) -> dict[str, float]:
    wall, cpu, memory = np.median(spent, axis=0).tolist()
    least, most = spent[:, 0].min(), spent[:, 0].max()
    return {"median_s": wall, "least_s": float(least), "most_s": float(most), "ratio": wall / base_wall,
            "cpu_s": cpu, "cpu_ratio": cpu / base_cpu, "peak_mb": memory}  # fmt: skip


def show(kind: str, slices: int, table: dict[str, dict[str, float]]) -> None:
    """Print one race."""
    print(f"\n{kind}, {slices} slices of 512 x 512\n")
    print(
        "| reader | median s | least - most s | x dcm2niix | CPU s | x dcm2niix | peak MB |", "|---" * 7 + "|", sep="\n"
    )
    for name, row in table.items():
        peak = "" if np.isnan(row["peak_mb"]) else f"{row['peak_mb']:.0f}"
        wall = f"{row['median_s']:.2f} | {row['least_s']:.2f} - {row['most_s']:.2f} | {row['ratio']:.2f}"
        print(f"| {name} | {wall} | {row['cpu_s']:.2f} | {row['cpu_ratio']:.2f} | {peak} |")


def main() -> int:
    """Run the races, or the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", choices=("uncompressed", "JPEG"), help="only this kind of pixels")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="keep the series here, and use those that are there")
    parser.add_argument("--compare", type=Path, metavar="DIR", help="compare voxels with dcm2niix below DIR instead")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    if options.compare:
        return compare(options.compare, as_json=options.json)
    found = {}
    with tempfile.TemporaryDirectory() as name:
        work, output = options.folder or Path(name), Path(name) / "out"
        output.mkdir()
        for kind, compressed in KINDS.items():
            if options.only and not kind.startswith(options.only):
                continue
            write_series(work / kind, options.slices, compressed=compressed)
            found[kind] = race(work / kind, output, options.repeats)
            show(kind, options.slices, found[kind])
    if options.json:
        print(json.dumps({"slices": options.slices, "repeats": options.repeats, "races": found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
