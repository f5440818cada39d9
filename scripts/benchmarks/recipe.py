#!/usr/bin/env python
"""Try the switches of a short training on the hippocampus, each as a factor of a designed experiment.

python scripts/benchmarks/recipe.py DIR --out FOLDER [--iterations 500] [--threads 1]

DIR holds cases in the layout of MSD Task04. Eight runs of a 2^(4-1) design (rate = loss x schedule x augmentation) and
a few single ones; fold 0 of 5 is held out. A run that is in FOLDER already is not made again. The table gives the main
effects on the mean Dice of both structures with two intervals: over patients (the same runs on other patients) and over
runs (other seeds), from the three contrasts of interactions, with 3 degrees of freedom.
"""

import argparse
import itertools
import json
import random
from pathlib import Path

import numpy as np
import torch
from _timing import machine
from monai.bundle import ConfigParser
from monai.transforms import Compose
from regionwise.data import PatchDataset, StreamSampler, VolumeDataset
from regionwise.inference import ProbabilityEnsemble, dice_optimal_labels, make_inferer
from regionwise.losses import DeepSupervisionLoss, make_loss
from regionwise.losses.schedules import set_progress
from regionwise.metrics.overlap import counts, dice
from regionwise.precision import Precision, PrecisionInferer
from regionwise.training import AveragedWeights, nnunet_augmentation
from scipy import stats
from torch.utils.data import DataLoader

TRAIN = Path(__file__).resolve().parents[2] / "bundles" / "hippocampus_rrw" / "configs" / "train.json"
FACTORS = {
    "loss": ("dice_ce", "rrw:annealed"),
    "schedule": ("poly by the epoch, no warm-up", "one cycle by the iteration, 30 % warm-up"),
    "frequency": (1.0, 0.5),
    "rate": (0.002, 0.004),
}
WARM_UP = "linear by the iteration, 5 % warm-up"
SINGLE = {
    "B0": {"loss": "dice_ce"},
    "B1": {"loss": "rrw:annealed+dice:equal"},
    "B2": {"loss": "rrw:annealed+dice:equal", "rate": 0.008},
}


def design() -> dict[str, dict]:
    """Return name to settings: the half fraction in a random order, a seed each, then the single runs."""
    signs = [(a, b, c, a * b * c) for a, b, c in itertools.product((-1, 1), repeat=3)]
    random.Random(1).shuffle(signs)
    runs = {}
    for seed, row in enumerate(signs):
        levels = {name: choices[(sign + 1) // 2] for (name, choices), sign in zip(FACTORS.items(), row, strict=True)}
        runs["A" + "".join("-+"[sign > 0] for sign in row)] = {**levels, "seed": seed}
    common = {"schedule": WARM_UP, "frequency": 0.5, "rate": 0.004, "seed": 2}
    return runs | {name: common | settings for name, settings in SINGLE.items()}


def make_schedule(
    name: str, optimizer: torch.optim.Optimizer, rate: float, iterations: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """Return a scheduler that is stepped after each iteration."""
    if name == FACTORS["schedule"][0]:
        levels = 15  # epochs
        return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda i: (1 - i * levels // iterations / levels) ** 0.9)
    warm_up, shape = (0.05, "linear") if name == WARM_UP else (0.3, "cos")
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, iterations, pct_start=warm_up, anneal_strategy=shape, cycle_momentum=False
    )


def train_and_score(settings: dict, data_dir: str, folder: Path, iterations: int) -> dict[str, dict[str, float]]:
    """Train once and return, for each way to predict, case to mean Dice of both structures."""
    torch.manual_seed(settings["seed"])
    parser = ConfigParser()
    parser.read_config(TRAIN)
    parser.update({"dataset_dir": data_dir, "folds": 5, "cache_dir": str(folder / "cache")})
    patch = parser.get_parsed_content("patch_size")
    prepared = parser.get_parsed_content("train#preprocessing"), folder / "cache", patch
    augmentation: Compose = nnunet_augmentation(3, frequency=settings["frequency"])
    lists = [parser.get_parsed_content("train#datalist")(section=section) for section in ("train", "val")]
    samples = PatchDataset(lists[0], *prepared, augmentation=augmentation, seed=settings["seed"])
    network = parser.get_parsed_content("network_def")
    averaged = AveragedWeights(network, 0.99)
    optimizer = torch.optim.Adam(network.parameters(), settings["rate"], weight_decay=3e-5)
    schedule = make_schedule(settings["schedule"], optimizer, settings["rate"], iterations)
    strides = parser.get_parsed_content("loss_function#level_strides")
    loss = DeepSupervisionLoss(make_loss(settings["loss"]), level_strides=strides)
    precision = Precision("auto")
    forward = PrecisionInferer(precision)
    batches = iter(DataLoader(samples, 2, sampler=StreamSampler()))
    for iteration in range(iterations):
        batch = next(batches)
        set_progress(loss, iteration // 100, iteration / iterations)
        optimizer.zero_grad()
        loss(forward(batch["image"], network.train()), batch["label"]).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 12.0)
        optimizer.step()
        schedule.step()
        averaged.update()
    held_out = VolumeDataset(lists[1], *prepared)
    return score(held_out, {"last": network, "averaged": averaged.network}, make_inferer(patch, precision=precision))


@torch.inference_mode()
def score(cases: VolumeDataset, networks: dict[str, torch.nn.Module], inferer) -> dict[str, dict[str, float]]:
    """Return, for each network and decoding, case to mean Dice."""
    found: dict[str, dict[str, float]] = {}
    for name, network in networks.items():
        ensemble = ProbabilityEnsemble([network.eval()], tta=False)
        for case in (cases[index] for index in range(len(cases))):
            probabilities = inferer(case["image"][None], ensemble)[0]
            for decoding, labels in (("", probabilities.argmax(0)), (", dice", dice_optimal_labels(probabilities))):
                pairs = [(labels.numpy() == label, case["label"][0].numpy() == label) for label in (1, 2)]
                found.setdefault(name + decoding, {})[case["case_id"]] = float(
                    np.mean([dice(counts(*pair)) for pair in pairs])
                )
    return found


def half_width(values: np.ndarray, freedom: int) -> float:
    """Return half the 95 % interval of a mean of independent values."""
    return float(stats.t.ppf(0.975, freedom) * values.std(ddof=1) / len(values) ** 0.5)


def effects(results: dict[str, dict]) -> list[str]:
    """Return the lines of the table of main effects and of what each run gives without another run."""
    names = [name for name in results if name.startswith("A")]
    signs = np.array([[1 if sign == "+" else -1 for sign in name[1:]] for name in names])
    dices = np.array([list(results[name]["last"].values()) for name in names])
    pairs = [signs[:, 0] * signs[:, 1], signs[:, 0] * signs[:, 2], signs[:, 1] * signs[:, 2]]
    noise = [2 * (pair @ dices.mean(1)) / len(names) for pair in pairs]
    of_runs = stats.t.ppf(0.975, 3) * float(np.mean(np.square(noise))) ** 0.5
    lines = []
    for index, (factor, (low, high)) in enumerate(FACTORS.items()):
        change = 2 * (signs[:, index] @ dices) / len(names)
        lines.append(
            f"| {factor}: {low} -> {high} | {change.mean():+.4f} | "
            f"+-{half_width(change, len(change) - 1):.4f} | +-{of_runs:.4f} |"
        )
    for what, one, other in (
        ("last -> averaged weights", "last", "averaged"),
        ("argmax -> dice, last weights", "last", "last, dice"),
    ):
        per_run = np.array(
            [np.mean(list(r[other].values())) - np.mean(list(r[one].values())) for r in results.values()]
        )
        per_case = np.mean([np.subtract(list(r[other].values()), list(r[one].values())) for r in results.values()], 0)
        lines.append(
            f"| {what} | {per_run.mean():+.4f} | +-{half_width(per_case, len(per_case) - 1):.4f} | "
            f"+-{half_width(per_run, len(per_run) - 1):.4f} |"
        )
    return lines


def main() -> None:
    """Make the runs that are missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="folder with cases in the layout of MSD Task04")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results of each run")
    parser.add_argument("--iterations", type=int, default=500, help="of each run")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    print(machine() + "\n")
    results = {}
    for name, settings in design().items():
        file = options.out / f"{name}.json"
        if not file.exists():
            file.write_text(json.dumps(train_and_score(settings, options.data, options.out, options.iterations)))
        results[name] = json.loads(file.read_text())
        means = {way: round(float(np.mean(list(cases.values()))), 4) for way, cases in results[name].items()}
        print(name, settings, means, flush=True)
    print("\n| change | Dice | 95 %, patients | 95 %, runs |\n| --- | --- | --- | --- |")
    print("\n".join(effects(results)))


if __name__ == "__main__":
    main()
