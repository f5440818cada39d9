"""Calibration and trust by loss: python scripts/benchmarks/calibration_of_losses.py --help

Each run is an evaluation made with --save_probabilities true (and --tta false: one pass, as the loss trained it).
Printed are its Dice, the calibration errors as they are and after a temperature (fitted on the other half of the
patients), and whether the soft Dice confidence finds the bad cases: AUGRC over that of an order that says nothing (1 or
more: it does not), and the rank correlation with Dice.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from regionwise.calibration.calibrate import find_calibration_cases, patients_of
from regionwise.calibration.fitting import describe, fit_cases, measure_cross_fitted
from regionwise.evaluation.settings import EvaluationSettings

COLUMNS = ("Dice", "ACE", "ACE, T", "ECE", "ECE, T", "NLL", "NLL, T", "bias ml", "T", "AUGRC ratio", "Spearman")


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
    return [dice, *pairs, mean("before", "volume_bias_ml"), scaling.temperature[0], ratio, trust.get("spearman")]


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
