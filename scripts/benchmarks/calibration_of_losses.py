"""Calibration and trust by loss: python scripts/benchmarks/calibration_of_losses.py --help

Each run is an evaluation made with --save_probabilities true (and --tta false: one pass, as the loss trained it).
Printed are its Dice, the calibration errors as they are and after a temperature (fitted on the other half of the
patients), and whether the soft Dice confidence finds the bad cases: AUGRC over that of an order that says nothing (1 or
more: it does not), and the rank correlation with Dice. The last column tells a network that predicts stripes: of the
label changes along an axis, the share that is taken back by the next voxel, where it is largest. Probabilities of such
a network say nothing about its loss.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from regionwise.calibration.calibrate import find_calibration_cases, patients_of
from regionwise.calibration.fitting import describe, fit_cases, measure_cross_fitted
from regionwise.evaluation.settings import EvaluationSettings
from regionwise.evaluation.stripes import count_changes
from regionwise.nifti import read_labels

COLUMNS = (
    "Dice",
    "ACE",
    "ACE, T",
    "ECE",
    "ECE, T",
    "NLL",
    "NLL, T",
    "bias ml",
    "T",
    "AUGRC ratio",
    "Spearman",
    "period 2",
)


def row(folder: Path, references: str, dataset: str) -> list[float | None]:
    """Return the numbers of one run, means over structures."""
    summary = json.loads((folder / "summary.json").read_text())
    settings = EvaluationSettings.from_options(dataset)
    cases = find_calibration_cases(
        str(folder / "predictions"), references, str(folder / "probabilities"), dataset, None, None
    )
    patients, structures = patients_of(cases), settings.classes
    scaling = fit_cases(cases, settings, "temperature")
    measured = measure_cross_fitted(cases, patients, structures, settings, "temperature", scaling)
    scores = describe(measured, structures, "temperature", scaling)["calibration"]

    def mean(way: str, key: str) -> float:
        return float(np.mean([one[key] for one in scores[way].values()]))

    dice = np.mean([one["metrics"]["dice"]["mean"] for one in summary["structures"].values() if one["n"]])
    pairs = [mean(way, key) for key in ("ace", "ece", "nll") for way in ("before", "after")]
    trust = summary.get("trust") or {}
    ratio = trust["augrc"] / trust["augrc_random"] if trust else None
    counted = sum(count_changes(read_labels(case.prediction).array) for case in cases)
    stripes = float(np.max(counted[:, 1] / np.maximum(counted[:, 0], 1)))
    bias = mean("before", "volume_bias_ml")
    return [dice, *pairs, bias, scaling.temperature[0], ratio, trust.get("spearman"), stripes]


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="NAME=FOLDER", help="loss and the output_dir of its evaluation")
    parser.add_argument("--references", required=True, help="root of the dataset")
    parser.add_argument("--dataset", required=True)
    given = parser.parse_args()
    print(f"| loss | {' | '.join(COLUMNS)} |\n|---|{'---:|' * len(COLUMNS)}")
    for text in given.runs:
        name, _, folder = text.partition("=")
        cells = ["-" if one is None else f"{one:.3f}" for one in row(Path(folder), given.references, given.dataset)]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
