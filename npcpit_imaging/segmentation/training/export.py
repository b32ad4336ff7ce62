"""Write trained weights as MONAI bundles: ``OUT/fold_N`` of every fold, or one.

    python -m npcpit_imaging.segmentation.training.export NET OUT

``fold_5`` was trained on everybody: it is the one to ship. Weights are kept in half precision (1 MB).
"""

import argparse
import json
import shutil
from pathlib import Path

import monai
import torch

from npcpit_imaging.segmentation.bundle import CALIBRATION, LATTICE
from npcpit_imaging.segmentation.encoding import CHANNELS
from npcpit_imaging.segmentation.lattice import SHAPE_WVU
from npcpit_imaging.segmentation.training.samples import FOLDS
from npcpit_imaging.segmentation.training.train import NETWORK

ATTRIBUTION = (
    "Trained on the Soft-tissue-Sarcoma collection of The Cancer Imaging Archive (Vallieres et al. 2015), CC BY 3.0, "
    "as prepared by the Image Biomarker Standardisation Initiative, and on lesions painted into a synthetic head"
)


def metadata(version: str) -> dict[str, object]:
    """The bundle's metadata.json."""
    shape = list(SHAPE_WVU)
    return {
        "name": "npcpit_lesion",
        "version": version,
        "monai_version": monai.__version__,
        "pytorch_version": torch.__version__,
        "numpy_version": "2",
        "task": "Refine a lesion's mask from a line or a box on CT, MR or PET",
        "description": "What to add to the log-odds of npcpit_imaging's calibrated classifier, on the prompt's lattice",
        "authors": "The npcpit_imaging maintainers",
        "copyright": ATTRIBUTION,
        "license": "CC-BY-3.0",
        "prompt_encoding": LATTICE,
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "num_channels": len(CHANNELS),
                    "spatial_shape": shape,
                    "dtype": "float32",
                    "value_range": [-2, 2],
                    "is_patch_data": False,
                    "channel_def": {str(number): name for number, name in enumerate(CHANNELS)},
                }
            },
            "outputs": {
                "pred": {
                    "type": "log-odds",
                    "num_channels": 1,
                    "spatial_shape": shape,
                    "dtype": "float32",
                    "channel_def": {"0": "added log-odds of lesion"},
                }
            },
        },
    }


def export(net: Path, out: Path, fold: int, version: str) -> Path:
    """Write one fold's bundle and return its folder."""
    folder = out / f"fold_{fold}"
    for part in ("configs", "models"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    state = torch.load(net / f"fold_{fold}.pt", weights_only=True)
    torch.save({name: values.half() for name, values in state.items()}, folder / "models" / "model.pt")
    shutil.copy(net / f"calibrations_{fold}.json", folder / CALIBRATION)
    inference = {"network_def": {"_target_": "UNet", **NETWORK}}
    for name, content in (("metadata", metadata(version)), ("inference", inference)):
        (folder / "configs" / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return folder


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("net", type=Path, help="folder that training.train wrote")
    parser.add_argument("out", type=Path)
    parser.add_argument("--version", default="1.0.0")
    options = parser.parse_args()
    for fold in range(FOLDS + 1):
        if (options.net / f"fold_{fold}.pt").exists():
            print(export(options.net, options.out, fold, options.version))  # noqa: T201


if __name__ == "__main__":
    main()
