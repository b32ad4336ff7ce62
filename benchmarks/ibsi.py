"""Conformance with IBSI 1 and 2: matched / provided / reference values per data set, and which differ.

    python benchmarks/ibsi.py ../shared/data [--json] [--only config_C]

The data are the IBSI's digital phantoms and lung CT phantom with the published consensus values; they are not part of
this project. A value matches when it, or its rounding to three significant digits as published, lies within tolerance;
a response map matches when every voxel lies within 1 % of the reference map's range.
"""

import argparse
import csv
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from npcpit_imaging.config.radiomics import Filter, RadiomicsSettings
from npcpit_imaging.radiomics.extract import extract
from npcpit_imaging.radiomics.feature import FeatureTable
from npcpit_imaging.radiomics.filters import response_map
from npcpit_imaging.volume.files import read_mask, read_volume
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume

ALL = ["2D", "2_5D"]
LUNG = {"lower": -1000.0, "upper": 400.0}
SOFT = {"lower": -500.0, "upper": 400.0}
FBN_32 = {"method": "fixed_bin_number", "bin_count": 32}
NONE = {"method": "none"}


def _iso(**more: object) -> dict[str, object]:
    return {"spacing_mm": 2.0, "round_to_integer": True, **more}


CONFIGURATIONS: dict[str, dict[str, object]] = {
    "digital_phantom": {
        "resampling": {"round_to_integer": True},
        "discretisation": NONE,
        "ivh": NONE,
        "dimensions": ["2D", "2_5D", "3D"],
    },
    "config_A": {
        "resampling": {"round_to_integer": True},
        "resegmentation": SOFT,
        "discretisation": {"method": "fixed_bin_size", "bin_width": 25.0},
        "ivh": NONE,
        "dimensions": ALL,
    },
    "config_B": {
        "resampling": _iso(slices=False),
        "resegmentation": SOFT,
        "discretisation": FBN_32,
        "ivh": NONE,
        "dimensions": ALL,
    },
    "config_C": {
        "resampling": _iso(),
        "resegmentation": LUNG,
        "discretisation": {"method": "fixed_bin_size", "bin_width": 25.0},
        "ivh": {"method": "fixed_bin_size", "bin_width": 2.5},
    },
    "config_D": {"resampling": _iso(), "resegmentation": {"outlier_sd": 3.0}, "discretisation": FBN_32, "ivh": NONE},
    "config_E": {
        "resampling": _iso(interpolator="cubic"),
        "resegmentation": LUNG | {"outlier_sd": 3.0},
        "discretisation": FBN_32,
        "ivh": {"method": "fixed_bin_number", "bin_count": 1000},
    },
}
"""IBSI 1, table 5.1: the image processing of each data set."""


MEAN = {"kind": "mean", "support_voxels": 15}
LOG = {"kind": "log", "sigma_mm": 5.0}
DB2 = {"kind": "wavelet", "wavelet": "db2", "response": "LHL", "boundary": "zero"}
COIF1 = {"kind": "wavelet", "wavelet": "coif1", "response": "HHL", "boundary": "periodic"}
HAAR = {"kind": "wavelet", "wavelet": "haar", "level": 2}

RESPONSE_MAPS: dict[str, tuple[str, dict[str, object]]] = {
    "1_a_1": ("checkerboard", MEAN | {"boundary": "zero"}),
    "1_a_2": ("checkerboard", MEAN | {"boundary": "nearest"}),
    "1_a_3": ("checkerboard", MEAN | {"boundary": "periodic"}),
    "1_a_4": ("checkerboard", MEAN | {"boundary": "mirror"}),
    "1_b_1": ("impulse", MEAN | {"boundary": "zero", "in_plane": True}),
    "2_a": ("impulse", {"kind": "log", "sigma_mm": 3.0, "boundary": "zero"}),
    "2_b": ("checkerboard", LOG),
    "2_c": ("checkerboard", LOG | {"in_plane": True}),
    "5_a_1": ("impulse", DB2 | {"rotation_invariant": False}),
    "5_a_2": ("impulse", DB2),
    "6_a_1": ("sphere", COIF1 | {"rotation_invariant": False}),
    "6_a_2": ("sphere", COIF1),
    "7_a_1": ("checkerboard", HAAR | {"response": "LLL"}),
    "7_a_2": ("checkerboard", HAAR | {"response": "HHH"}),
}
"""IBSI 2, phase 1: phantom and filter of each reference map."""

DB3 = {"kind": "wavelet", "wavelet": "db3"}
FLAT: dict[str, object] = {"round_to_integer": True}
CUBE: dict[str, object] = {"spacing_mm": 1.0, "interpolator": "cubic", "round_to_integer": True}

FILTERED: dict[str, tuple[dict[str, object], dict[str, object] | None]] = {
    "1.A": (FLAT, None),
    "1.B": (CUBE, None),
    "2.A": (FLAT, {"kind": "mean", "support_voxels": 5, "in_plane": True}),
    "2.B": (CUBE, {"kind": "mean", "support_voxels": 5}),
    "3.A": (FLAT, {"kind": "log", "sigma_mm": 1.5, "in_plane": True}),
    "3.B": (CUBE, {"kind": "log", "sigma_mm": 1.5}),
    "6.A": (FLAT, DB3 | {"response": "LH"}),
    "6.B": (CUBE, DB3 | {"response": "LLH"}),
    "7.A": (FLAT, DB3 | {"response": "HH", "level": 2}),
    "7.B": (CUBE, DB3 | {"response": "HHH", "level": 2}),
}
"""IBSI 2, phase 2: grid and filter of each set of statistics; 4, 5, 8 and 9 are Laws, Gabor, Simoncelli and Riesz."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One published value."""

    tag: str
    value: float
    tolerance: float

    def matches(self, value: float) -> bool:
        """Tell whether a value, or its three-digit rounding, lies within tolerance."""
        slack = self.tolerance * (1.0 + 1e-9)
        return min(abs(value - self.value), abs(float(f"{value:.3g}") - self.value)) <= slack


def references(data: Path, name: str) -> list[Reference]:
    """Read the published values of one data set, without diagnostics and what is not standardised."""
    with (data / "truth" / "ibsi_1" / "reference_values.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["dataset"] == name and row["reference_value"]]
    return [
        Reference(tag=row["tag"], value=float(row["reference_value"]), tolerance=float(row["tolerance"]))
        for row in rows
        if not row["family"].startswith("Diagnostics")
    ]


def lung(data: Path) -> tuple[Volume, Mask]:
    """Read the lung CT phantom."""
    folder = data / "images" / "ibsi_1_ct_phantom" / "nifti"
    volume = read_volume(folder / "image" / "phantom.nii.gz", modality=Modality.CT, unit=Unit.HU)
    return volume, read_mask(folder / "mask" / "mask.nii.gz")


def digital(data: Path) -> tuple[Volume, Mask]:
    """Read the digital phantom."""
    folder = data / "images" / "ibsi_1_digital_phantom" / "nifti"
    return read_volume(folder / "image" / "phantom.nii.gz"), read_mask(folder / "mask" / "mask.nii.gz")


def features_of(data: Path, name: str) -> FeatureTable:
    """Compute one IBSI 1 data set's features."""
    volume, mask = digital(data) if name == "digital_phantom" else lung(data)
    return extract(volume, mask, RadiomicsSettings.model_validate(CONFIGURATIONS[name]))


def _comparison(name: str, found: dict[str, float], published: list[Reference], started: float) -> dict[str, object]:
    provided = [one for one in published if one.tag in found]
    differing = {
        one.tag: (found[one.tag], one.value, one.tolerance) for one in provided if not one.matches(found[one.tag])
    }
    return {
        "data_set": name,
        "matched": len(provided) - len(differing),
        "provided": len(provided),
        "reference": len(published),
        "cpu_s": round(time.process_time() - started, 2),
        "differing": differing,
        "missing": [one.tag for one in published if one.tag not in found],
    }


def compare(data: Path, name: str) -> dict[str, object]:
    """Return how many of a data set's IBSI 1 values match, and those that do not."""
    started = time.process_time()
    return _comparison(name, features_of(data, name).values(), references(data, name), started)


def map_error(data: Path, name: str) -> float:
    """Return the largest difference of a response map, as a fraction of the reference map's range (IBSI 2, phase 1)."""
    phantom, chosen = RESPONSE_MAPS[name]
    image = read_volume(data / "images" / "ibsi_2_digital_phantom" / "nifti" / phantom / "image" / f"{phantom}.nii.gz")
    expected = read_volume(data / "truth" / "ibsi_2" / "response_maps" / f"{name}-ValidCRM.nii.gz").voxels
    parsed: Filter = TypeAdapter(Filter).validate_python(chosen)
    found: NDArray[np.float64] = response_map(image.voxels.astype(float), image.geometry.spacing_mm[::-1], parsed)
    return float(np.abs(found - expected).max() / np.ptp(expected))


def compare_maps(data: Path) -> dict[str, object]:
    """Return how many response maps lie within 1 % of their range."""
    started = time.process_time()
    found = {name: map_error(data, name) for name in RESPONSE_MAPS}
    published = [Reference(tag=name, value=0.0, tolerance=0.01) for name in RESPONSE_MAPS]
    return _comparison("ibsi_2 maps", found, published, started)


def compare_filtered(data: Path, name: str) -> dict[str, object]:
    """Return how many of the 18 statistics of one filtered lung CT match (IBSI 2, phase 2)."""
    started = time.process_time()
    resampling, chosen = FILTERED[name]
    settings = RadiomicsSettings.model_validate(
        {
            "resampling": resampling,
            "resegmentation": LUNG,
            "families": ["intensity_statistics"],
            "filters": [chosen] if chosen else [],
            "dimensions": ["2D"],
        }
    )
    table = extract(*lung(data), settings)
    found = {f.tag: f.value for f in table if bool(f.filter) == bool(chosen) and f.value is not None}
    with (data / "truth" / "ibsi_2" / "reference_values.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter=";") if row["filter_id"] == name]
    published = [
        Reference(tag=row["feature_tag"], value=float(row["consensus_value"]), tolerance=float(row["tolerance"]))
        for row in rows
    ]
    return _comparison(f"ibsi_2 {name}", found, published, started)


def results_of(data: Path, only: str | None) -> list[dict[str, object]]:
    """Compare one data set or all of them."""
    if only:
        return [compare(data, only)]
    values = [compare(data, name) for name in CONFIGURATIONS]
    return [*values, compare_maps(data), *(compare_filtered(data, name) for name in FILTERED)]


def main() -> int:
    """Print the table; exit 0 only when every value matches."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with images/ and truth/")
    parser.add_argument("--only", choices=list(CONFIGURATIONS), help="one data set of IBSI 1")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    arguments = parser.parse_args()
    results = results_of(arguments.data, arguments.only)
    print(f"{'data set':<16} {'matched':>8} {'provided':>9} {'reference':>10} {'CPU s':>7}")
    for result in results:
        print("{data_set:<16} {matched:>8} {provided:>9} {reference:>10} {cpu_s:>7}".format(**result))
    totals = {
        part: {
            count: sum(int(str(one[count])) for one in results if str(one["data_set"]).startswith("ibsi_2") == second)
            for count in ("matched", "provided", "reference")
        }
        for part, second in (("all of IBSI 1", False), ("all of IBSI 2", True))
    }
    for part, counts in totals.items():
        print(f"{part:<16} {counts['matched']:>8} {counts['provided']:>9} {counts['reference']:>10}")
    for result in results:
        for tag, (value, expected, tolerance) in dict(result["differing"]).items():
            print(f"  {result['data_set']} {tag}: {value:.6g}, expected {expected:g} +/- {tolerance:g}")
        if result["missing"]:
            print(f"  {result['data_set']} missing: {', '.join(list(result['missing']))}")
    if arguments.json:
        print(json.dumps({"totals": totals, "data_sets": results}))
    return 0 if all(counts["matched"] == counts["reference"] for counts in totals.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
