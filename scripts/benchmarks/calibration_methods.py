"""Calibration by method: python scripts/benchmarks/calibration_methods.py --help

The run is an evaluation made with --save_probabilities true --tta false. Its patients are split into two halves; each
is calibrated as the other says. Printed are means over structures: Dice of the most probable classes, ACE per image and
that of all images' voxels together, the ACE per image that chance would leave to perfect probabilities, ECE, NLL.
"""

import argparse
from pathlib import Path

import numpy as np
from regionwise.calibration.calibrate import find_calibration_cases, patients_of
from regionwise.calibration.fitting import describe, fit_cases, measure_cross_fitted
from regionwise.calibration.record import METHODS_OF_PROBABILITIES
from regionwise.evaluation.settings import EvaluationSettings

COLUMNS = {
    "Dice": "dice",
    "ACE": "ace",
    "by chance": "ace_by_chance",
    "ACE, pooled": "ace_pooled",
    "MCE": "mce",
    "ECE": "ece",
    "NLL": "nll",
    "volume bias (ml)": "volume_bias_ml",
}


def rows(run: Path, references: str, dataset: str) -> dict[str, list[float]]:
    """Return the numbers of the run as it is and after each method."""
    settings = EvaluationSettings.from_options(dataset)
    folders = (str(run / "predictions"), references, str(run / "probabilities"))
    cases = find_calibration_cases(*folders, dataset, None, None)
    patients, found = patients_of(cases), {}
    for method in METHODS_OF_PROBABILITIES:
        scaling = fit_cases(cases, settings, method)
        measured = measure_cross_fitted(cases, patients, settings.classes, settings, method, scaling)
        scores = describe(measured, settings.classes, method, scaling)["calibration"]
        for name, way in (("as trained", "before"), (method, "after")):
            found[name] = [np.mean([one[key] for one in scores[way].values()]) for key in COLUMNS.values()]
    return found


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="output_dir of the evaluation")
    parser.add_argument("--references", required=True, help="root of the dataset")
    parser.add_argument("--dataset", required=True)
    given = parser.parse_args()
    print(f"| method | {' | '.join(COLUMNS)} |\n|---|{'---:|' * len(COLUMNS)}")
    for name, numbers in rows(Path(given.run), given.references, given.dataset).items():
        print(f"| {name} | {' | '.join(f'{one:.4f}' for one in numbers)} |", flush=True)


if __name__ == "__main__":
    main()
