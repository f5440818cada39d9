"""Do the margins keep their promise? python scripts/benchmarks/conformal_splits.py --help

Patients are split at random, 500 times: the margin is found on one part and its loss measured on the rest. The mean
loss must not exceed alpha + 0.5 standard errors; how far it lies below alpha - 1 / (n + 1) says what the margin gives
away. Distances between voxel centers take few values, so that a margin can only be changed in steps: where the loss
falls by more than alpha from one step to the next, it stays well below alpha. Without --predictions: phantoms of the
hippocampus, whose predictions are their labels, smoothed with noise.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from regionwise.calibration.calibrate import find_calibration_cases, patients_of
from regionwise.calibration.cases import margin_distances
from regionwise.evaluation.settings import EvaluationSettings
from regionwise.nifti import read_labels, write_volume
from regionwise.phantoms.write import phantom
from regionwise.uncertainty import conformal_margin_mm, risk_at_mm
from scipy import ndimage

LOSSES = {"5 % of the structure outside": 0.95, "missed share": None}


def noisy(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return a prediction: labels whose smoothed masks compete after smooth noise is added to them."""
    amount = random.gamma(4, 0.06)
    scores = []
    for label in range(int(labels.max()) + 1):
        noise = ndimage.gaussian_filter(random.normal(size=labels.shape), 2)
        scores.append(ndimage.gaussian_filter((labels == label).astype(float), 0.7) + amount * noise / noise.std())
    return np.argmax(scores, axis=0).astype(np.uint8)


def write_phantoms(root: Path, number: int) -> tuple[str, str]:
    """Write phantoms and their predictions; return the two folders."""
    phantom("msd", str(root / "data"), subjects=number, size=40, preset="small")
    random = np.random.default_rng(0)
    for path in sorted((root / "data" / "labelsTr").glob("*.nii.gz")):
        volume = read_labels(path)
        write_volume(root / "predictions" / path.name, noisy(volume.array, random), volume.affine)
    return str(root / "predictions"), str(root / "data")


def report(predictions: str, references: str, dataset: str, alpha: float, splits: int) -> None:
    """Print a line per structure, margin and loss."""
    settings = EvaluationSettings.from_options(dataset)
    cases = find_calibration_cases(predictions, references, None, dataset, None, None)
    patients = patients_of(cases)
    found = [margin_distances(case, settings.classes, settings) for case in cases]
    names = list(dict.fromkeys(patients))
    n = len(names) // 2
    low, random = alpha - 1 / (n + 1), np.random.default_rng(0)
    print(f"{len(names)} patients, {n} of them to calibrate, alpha {alpha:g}, alpha - 1 / (n + 1) = {low:.3f}")
    for structure in settings.classes:
        for side, way in enumerate(("outer", "inner")):
            by_patient = [
                np.concatenate(
                    [one[structure.name][side] for one, who in zip(found, patients, strict=True) if who == name]
                )
                for name in names
            ]
            for loss, inside in LOSSES.items():
                risks, radii = [], []
                for _ in range(splits):
                    order = random.permutation(len(names))
                    radius = conformal_margin_mm([by_patient[index] for index in order[:n]], alpha, inside)
                    rest = [risk_at_mm(by_patient[index], radius, inside) for index in order[n:]]
                    risks.append(np.mean(rest))
                    radii.append(radius)
                mean, error = np.mean(risks), np.std(risks) / np.sqrt(splits)
                verdict = "kept" if mean <= alpha + 0.5 * error else "BROKEN"
                below = "" if mean >= low - 0.02 else f", {low - mean:.3f} below alpha - 1 / (n + 1)"
                print(
                    f"{structure.name:<12} {way} {loss:<28} margin {np.median(radii):5.2f} mm  "
                    f"mean loss {mean:.4f} +- {error:.4f}: {verdict}{below}"
                )


def main() -> None:
    """Run the splits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--predictions", help="folder of predictions; without it, phantoms")
    parser.add_argument("--references", help="root of the dataset")
    parser.add_argument("--dataset", default="msd")
    parser.add_argument("--alpha", type=float, default=0.1)
    parser.add_argument("--splits", type=int, default=500)
    parser.add_argument("--subjects", type=int, default=60, help="number of phantoms")
    given = parser.parse_args()
    if given.predictions:
        report(given.predictions, given.references, given.dataset, given.alpha, given.splits)
        return
    with tempfile.TemporaryDirectory() as folder:
        report(*write_phantoms(Path(folder), given.subjects), "msd", given.alpha, given.splits)


if __name__ == "__main__":
    main()
