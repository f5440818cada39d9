"""Does the disagreement of seeds find the bad cases? python scripts/benchmarks/trust_of_seeds.py --help

Each method is the evaluations of two or more networks, which stand for an ensemble: its labels are their majority's,
its trust in a case is the pairwise Dice of their label maps, and the risk of a case is 1 - Dice, the mean over
structures. Printed are the mean and the standard deviation of Dice over cases, the rank correlation of trust with Dice,
and AUGRC over that of an order that says nothing: of this trust, and of the order of Dice itself, below which nothing
can get. That best ratio is 1 - G with G the Gini coefficient of the risks: where all cases are about as good, no order
is of use.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from regionwise.datasets import LABELS, read_cases
from regionwise.fusion.voting import majority_vote
from regionwise.metrics import counts, dice
from regionwise.nifti import read_labels
from regionwise.uncertainty import augrc, pairwise_dice
from regionwise.uncertainty.agreement import label_overlaps
from scipy import stats

COLUMNS = ("members", "cases", "Dice", "SD", "Spearman", "AUGRC ratio", "of the best order")


def row(runs: Sequence[Path], references: dict[str, str], structures: Sequence[int]) -> list[float]:
    """Return the numbers of one method."""
    trust, quality = [], []
    for path in sorted((runs[0] / "predictions").glob("*.nii.gz")):
        members = np.stack([read_labels(run / "predictions" / path.name).array for run in runs])
        truth = read_labels(references[path.name.removesuffix(".nii.gz")]).array
        voted = majority_vote(members)
        trust.append(pairwise_dice(label_overlaps(torch.from_numpy(members), max(structures) + 1)).mean())
        quality.append(np.mean([dice(counts(voted == label, truth == label)) for label in structures]))
    scores = np.array(quality)
    random = float(np.mean(1 - scores)) / 2
    ratios = [augrc(1 - scores, one) / random for one in (trust, scores)]
    spearman = float(stats.spearmanr(trust, scores).statistic)
    return [len(runs), len(scores), float(scores.mean()), float(scores.std(ddof=1)), spearman, *ratios]


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="+", metavar="NAME=RUN,RUN,...", help="name and output_dirs of evaluations")
    parser.add_argument("--references", required=True, help="root of the dataset")
    parser.add_argument("--dataset", required=True)
    given = parser.parse_args()
    references = {case["case_id"]: case["label"] for case in read_cases(given.dataset, given.references)}
    structures = [label for label in LABELS[given.dataset] if label]
    print(f"| method | {' | '.join(COLUMNS)} |\n|---|{'---:|' * len(COLUMNS)}")
    for text in given.methods:
        name, _, runs = text.partition("=")
        numbers = row([Path(run) for run in runs.split(",")], references, structures)
        print(f"| {name} | {' | '.join(f'{one:g}' if one > 1 else f'{one:.3f}' for one in numbers)} |", flush=True)


if __name__ == "__main__":
    main()
