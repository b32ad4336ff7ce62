"""Small MONAI bundles as their makers write them: a network of one threshold, as TorchScript or state dict."""

import json
import warnings
from pathlib import Path

import pytest


def deep():
    """Torch and MONAI, or a skip that names them; in CI the caller's job installs them."""
    return pytest.importorskip("torch", reason="torch (pip install 'npcpit-imaging[deep]') is not installed"), (
        pytest.importorskip("monai", reason="monai (pip install 'npcpit-imaging[deep]') is not installed")
    )


def threshold_network(level, channels=1, weights=None):
    """A network of one convolution that is sure of everything above a level; prompts add their weight."""
    torch, _ = deep()
    network = torch.nn.Conv3d(channels, 1, 1)
    with torch.no_grad():
        network.weight[:] = torch.tensor(weights or [1.0] + [0.0] * (channels - 1)).reshape(1, -1, 1, 1, 1)
        network.bias[:] = -level
    return network.eval()


def inference(network_def=None):
    """What inference.json says: scaled intensities, a window of 32 voxels, a threshold at one half, files written."""
    return {
        "imports": ["$import glob"],
        "bundle_root": "/nowhere",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "network_def": network_def,
        "network": "$@network_def.to(@device)",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "image"},
                {"_target_": "EnsureChannelFirstd", "keys": "image"},
                {"_target_": "Spacingd", "keys": "image", "pixdim": [1.0, 1.0, 2.0], "mode": "bilinear"},
                {
                    "_target_": "ScaleIntensityRanged",
                    "keys": "image",
                    "a_min": 0.0,
                    "a_max": 100.0,
                    "b_min": 0.0,
                    "b_max": 10.0,
                    "clip": True,
                },
            ],
        },
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [32, 32, 16], "sw_batch_size": 2, "overlap": 0.25},
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "Activationsd", "keys": "pred", "sigmoid": True},
                {
                    "_target_": "Invertd",
                    "keys": "pred",
                    "transform": "@preprocessing",
                    "orig_keys": "image",
                    "nearest_interp": False,
                    "to_tensor": True,
                },
                {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5},
                {"_target_": "SaveImaged", "keys": "pred", "output_dir": "/nowhere/at/all"},
            ],
        },
    }


def write_bundle(folder: Path, network, *, script: bool, channels=("image",), config=None, metadata=None):
    """Write a bundle as the specification says and return its folder."""
    torch, _ = deep()
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    definition = {"_target_": "torch.nn.Conv3d", "in_channels": len(channels), "out_channels": 1, "kernel_size": 1}
    told = {
        "name": "threshold",
        "version": "0.1.0",
        "license": "MIT",
        "network_data_format": {
            "inputs": {"image": {"channel_def": {str(n): name for n, name in enumerate(channels)}}},
            "outputs": {"pred": {"channel_def": {"0": "lesion"}}},
        },
        **(metadata or {}),
    }
    (folder / "configs" / "metadata.json").write_text(json.dumps(told), encoding="utf-8")
    used = config or inference(None if script else definition)
    (folder / "configs" / "inference.json").write_text(json.dumps(used), encoding="utf-8")
    if script:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # torch.jit
            example = torch.zeros(1, len(channels), 8, 8, 8)
            torch.jit.save(torch.jit.trace(network, example), str(folder / "models" / "model.ts"))
    else:
        torch.save(network.state_dict(), folder / "models" / "model.pt")
    return folder
