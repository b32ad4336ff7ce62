"""Train the promptable network on the drawn samples, one fold or all of them.

    python -m npcpit_imaging.segmentation.training.train OUT --samples SAMPLES --fold 0

The network answers what to add to the calibrated classifier's log-odds. ``--fold 5`` trains on everybody; a fold below
leaves its patients out and prints, as it goes, how they fare with and without it. Needs the ``deep`` extra.
"""

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from monai.networks.nets import UNet

from npcpit_imaging.segmentation.calibrated import MOST_LOG_ODDS
from npcpit_imaging.segmentation.calibration import Calibration
from npcpit_imaging.segmentation.encoding import CHANNELS, FEATURE_SCALES, ODDS_SCALE, encode
from npcpit_imaging.segmentation.features import feature_names
from npcpit_imaging.segmentation.lattice import SHAPE_WVU
from npcpit_imaging.segmentation.training.cases import KINDS
from npcpit_imaging.segmentation.training.samples import FOLDS, PROMPTS, Sample, read_samples
from npcpit_imaging.segmentation.training.voxels import fit_on

NETWORK = {
    "spatial_dims": 3,
    "in_channels": len(CHANNELS),
    "out_channels": 1,
    "channels": [16, 32, 64, 96],
    "strides": [2, 2, 2],
    "num_res_units": 1,
    "norm": "INSTANCE",
}
"""Arguments of `monai.networks.nets.UNet`: 0.52 million parameters."""

CALIBRATED = CHANNELS.index("calibrated")
BATCH = 4
RATE = 2e-3
AVERAGE = 0.99
"""The weights that are kept are a moving average of those of the last hundred steps."""

SHOWN = len(FEATURE_SCALES) + 1
"""The first channels, of the image alone, whose scale and offset are varied while training."""

FITTED = {"tumour": 1.0, "small": 1.5, "shrunk": 1.0, "node": 1.0, "head": 1.5}
"""What the classifier is fitted on, with the weight of each sample."""

EVALUATE_EVERY = 250
THRESHOLD = 0.4


class Stateful(Protocol):
    """What is saved and read again when a run is interrupted."""

    def state_dict(self) -> dict[str, object]:
        """All of it."""
        ...

    def load_state_dict(self, state_dict: dict[str, object]) -> object:
        """Take it back."""
        ...


class Batches:
    """Samples as the network's channels, with random flips and intensities while training."""

    def __init__(self, folders: list[Path], fold: int, seed: int) -> None:
        """Read the samples into memory and fit the classifier that the network refines without the fold's patients."""
        read = [read_samples(folder) for folder in folders]
        self.samples = [sample for part in read for sample in part[0]]
        self.images = np.concatenate([part[1] for part in read])
        self.target = np.concatenate([part[2] for part in read])
        self.rng = np.random.default_rng([seed, fold])
        self.calibrations = calibrate(self.samples, self.images, self.target, fold)

    def take(self, chosen: np.ndarray, *, augment: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Channels `(B, C, W, V, U)` and target `(B, 1, W, V, U)` of some samples."""
        images, truths = [], []
        for index in chosen:
            truth = self.target[index].astype(np.float32) / 255
            flips = tuple(axis for axis in (1, 2, 3) if augment and self.rng.random() < 0.5)
            images.append(np.flip(self._channels(int(index), augment), flips))
            truths.append(np.flip(truth[None], flips))
        return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(truths))

    def _channels(self, index: int, augment: bool) -> np.ndarray:
        sample, images = self.samples[index], self.images[index].astype(np.float32)
        modality, line = KINDS[sample.kind], sample.prompt == "line"
        seen = images[: len(feature_names(modality))]
        odds = self.calibrations[f"{modality}-{sample.prompt}"].log_odds(seen.reshape(len(seen), -1).T)
        odds = np.clip(odds.reshape(SHAPE_WVU), -MOST_LOG_ODDS, MOST_LOG_ODDS)
        size = (sample.diameter_mm, sample.slice_mm)
        channels = encode(seen, images[-1], odds, modality=modality, line=line, size=size)
        return self._varied(channels) if augment else channels

    def _varied(self, channels: np.ndarray) -> np.ndarray:
        varied = channels.copy()
        count = SHOWN
        varied[:count] *= self.rng.uniform(0.85, 1.15, (count, 1, 1, 1)).astype(np.float32)
        varied[:count] += self.rng.normal(0, 0.04, (count, 1, 1, 1)).astype(np.float32)
        return varied


def calibrate(samples: list[Sample], images: np.ndarray, target: np.ndarray, fold: int) -> dict[str, Calibration]:
    """The classifiers, by modality and prompt, fitted on the tumours of all but one fold."""
    fitted = {}
    for kind, modality in KINDS.items():
        for prompt in PROMPTS:
            wanted = [
                number
                for number, sample in enumerate(samples)
                if (sample.kind, sample.prompt) == (kind, prompt) and sample.fold != fold and sample.version in FITTED
            ]
            weights = [FITTED[samples[number].version] for number in wanted]
            fitted[f"{modality}-{prompt}"] = fit_on(
                images, target, chosen=wanted, weights=weights, modality=modality, seed=fold
            )
    return fitted


def log_odds(network: torch.nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """The classifier's log-odds and what the network adds to them, `(B, 1, W, V, U)`."""
    answer: torch.Tensor = network(inputs) + ODDS_SCALE * inputs[:, CALIBRATED : CALIBRATED + 1]
    return answer


def loss(odds: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Cross-entropy and soft Dice, each lesion counted alike."""
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(odds, target)
    chance = torch.sigmoid(odds)
    axes = (1, 2, 3, 4)
    overlap = 2 * (chance * target).sum(axes) / (chance.sum(axes) + target.sum(axes)).clamp(min=1.0)
    return entropy + (1 - overlap).mean()


def evaluate(network: torch.nn.Module, batches: Batches, chosen: np.ndarray) -> dict[str, tuple[float, float]]:
    """Median Dice on the lattice by kind, prompt and version: the classifier's own, and with the network."""
    found: dict[str, list[tuple[float, float]]] = {}
    network.eval()
    with torch.no_grad():
        for index in chosen:
            inputs, target = batches.take(np.array([index]), augment=False)
            sample = batches.samples[int(index)]
            both = (ODDS_SCALE * inputs[:, CALIBRATED : CALIBRATED + 1], log_odds(network, inputs))
            row = tuple(_dice(torch.sigmoid(odds) > THRESHOLD, target > 0.5) for odds in both)
            found.setdefault(f"{sample.kind} {sample.prompt} {sample.version}", []).append((row[0], row[1]))
    network.train()
    return {name: (float(np.median(rows, 0)[0]), float(np.median(rows, 0)[1])) for name, rows in sorted(found.items())}


def _dice(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(2 * (one & other).sum() / max(int(one.sum() + other.sum()), 1))


def train(folders: list[Path], out: Path, *, fold: int, count: int, seed: int) -> None:
    """Train one network on `count` drawn samples and write its averaged weights as ``OUT/fold_N.pt``."""
    torch.manual_seed(seed + fold)
    batches = Batches(folders, fold, seed)
    out.joinpath(f"calibrations_{fold}.json").write_text(
        json.dumps({"calibrations": {key: value.to_json() for key, value in batches.calibrations.items()}})
    )
    folds = np.array([sample.fold for sample in batches.samples])
    learn, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
    network = UNet(**NETWORK)
    average = UNet(**NETWORK)
    average.load_state_dict(network.state_dict())
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-3)
    steps = count // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps, pct_start=0.15)
    order = np.concatenate([batches.rng.permutation(learn) for _ in range(1 + count // len(learn))])
    began, running, first = time.monotonic(), 0.0, 0
    parts: dict[str, Stateful] = {"network": network, "average": average, "optimiser": optimiser, "schedule": schedule}
    state_path = out / f"fold_{fold}.state"
    if state_path.exists():
        first = _resumed(state_path, parts)
    for step in range(first, steps):
        inputs, target = batches.take(order[step * BATCH : (step + 1) * BATCH], augment=True)
        optimiser.zero_grad()
        fault = loss(log_odds(network, inputs), target)
        fault.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.step()
        schedule.step()
        running += 0.02 * (float(fault.detach()) - running) if step > first else float(fault.detach())
        _follow(average, network, min(AVERAGE, (1 + step) / (10 + step)))
        if (step + 1) % EVALUATE_EVERY == 0 or step + 1 == steps:
            torch.save({"step": step + 1, **{name: part.state_dict() for name, part in parts.items()}}, state_path)
            torch.save(average.state_dict(), out / f"fold_{fold}.pt")
            row = {"fold": fold, "step": step + 1, "loss": round(running, 4), "s": round(time.monotonic() - began)}
            print(json.dumps({**row, "dice": _rounded(evaluate(average, batches, test))}), flush=True)  # noqa: T201


def _resumed(path: Path, parts: Mapping[str, Stateful]) -> int:
    """Go on where a run that was interrupted stopped; returns the next step."""
    state = torch.load(path, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return int(state["step"])


def _follow(average: torch.nn.Module, network: torch.nn.Module, keep: float) -> None:
    with torch.no_grad():
        for mean, now in zip(average.parameters(), network.parameters(), strict=True):
            mean.lerp_(now, 1 - keep)


def _rounded(table: dict[str, tuple[float, float]]) -> dict[str, list[float]]:
    return {name: [round(value, 3) for value in row] for name, row in table.items()}


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder for weights and calibrations")
    parser.add_argument("--samples", type=Path, nargs="+", required=True, help="folders that training.samples wrote")
    parser.add_argument("--fold", type=int, nargs="+", default=list(range(FOLDS + 1)), help="0 to 4; 5 for everybody")
    parser.add_argument("--count", type=int, default=8000, help="samples drawn while training")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    for fold in options.fold:
        train(options.samples, options.out, fold=fold, count=options.count, seed=options.seed)


if __name__ == "__main__":
    main()
