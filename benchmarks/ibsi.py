"""Conformance with IBSI 1: matched / provided / reference values per data set, and which differ.

    python benchmarks/ibsi.py ../shared/data [--json] [--only config_C]

The data are the IBSI's digital phantom and lung CT phantom with the published consensus values; they are not part of
this project. A value matches when it, or its rounding to three significant digits as published, lies within tolerance.
"""

import argparse
import csv
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from npcpit_imaging.config.radiomics import RadiomicsSettings
from npcpit_imaging.radiomics.extract import extract
from npcpit_imaging.radiomics.feature import FeatureTable
from npcpit_imaging.volume.files import read_mask, read_volume
from npcpit_imaging.volume.volume import Modality, Unit

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


def features_of(data: Path, name: str) -> FeatureTable:
    """Compute one data set's features."""
    digital = name == "digital_phantom"
    folder = data / "images" / ("ibsi_1_digital_phantom" if digital else "ibsi_1_ct_phantom") / "nifti"
    modality, unit = (Modality.OT, Unit.ARBITRARY) if digital else (Modality.CT, Unit.HU)
    volume = read_volume(folder / "image" / "phantom.nii.gz", modality=modality, unit=unit)
    settings = RadiomicsSettings.model_validate(CONFIGURATIONS[name])
    return extract(volume, read_mask(folder / "mask" / "mask.nii.gz"), settings)


def compare(data: Path, name: str) -> dict[str, object]:
    """Return how many of a data set's values match, and those that do not."""
    started = time.process_time()
    found = features_of(data, name).values()
    cpu_s = time.process_time() - started
    published = references(data, name)
    provided = [one for one in published if one.tag in found]
    differing = {
        one.tag: (found[one.tag], one.value, one.tolerance) for one in provided if not one.matches(found[one.tag])
    }
    missing = [one.tag for one in published if one.tag not in found]
    return {
        "data_set": name,
        "matched": len(provided) - len(differing),
        "provided": len(provided),
        "reference": len(published),
        "cpu_s": round(cpu_s, 2),
        "differing": differing,
        "missing": missing,
    }


def main() -> int:
    """Print the table; exit 0 only when every value matches."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with images/ and truth/")
    parser.add_argument("--only", choices=list(CONFIGURATIONS), help="one data set")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    arguments = parser.parse_args()
    results = [compare(arguments.data, name) for name in ([arguments.only] if arguments.only else CONFIGURATIONS)]
    print(f"{'data set':<16} {'matched':>8} {'provided':>9} {'reference':>10} {'CPU s':>7}")
    for result in results:
        print("{data_set:<16} {matched:>8} {provided:>9} {reference:>10} {cpu_s:>7}".format(**result))
    totals = {name: sum(int(str(result[name])) for result in results) for name in ("matched", "provided", "reference")}
    print("{:<16} {matched:>8} {provided:>9} {reference:>10}".format("all", **totals))
    for result in results:
        for tag, (value, expected, tolerance) in dict(result["differing"]).items():
            print(f"  {result['data_set']} {tag}: {value:.6g}, expected {expected:g} +/- {tolerance:g}")
        if result["missing"]:
            print(f"  {result['data_set']} missing: {', '.join(list(result['missing']))}")
    if arguments.json:
        print(json.dumps({"total": totals, "data_sets": results}))
    return 0 if totals["matched"] == totals["reference"] else 1


if __name__ == "__main__":
    sys.exit(main())
