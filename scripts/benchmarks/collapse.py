#!/usr/bin/env python
"""Train every loss at several learning rates on the ACDC phantom, and list which collapse and whether they say so.

python scripts/benchmarks/collapse.py --out FOLDER [--losses rrw dice_ce] [--rates 0.001 0.003] [--iterations 400]

The phantom is the hard one, on a coarse grid; the network is small. The table says how each run ended, and whether a
line told that the training has collapsed or that structures are predicted nowhere. "Nothing learned" is a best Dice
below 0.05. A run that is in FOLDER already is not made again.
"""

import argparse
import contextlib
import io
import json
from pathlib import Path

from _timing import machine
from monai.bundle import ConfigWorkflow
from regionwise.losses import LOSS_NAMES
from regionwise.phantoms.write import phantom

CONFIG = Path(__file__).resolve().parents[2] / "bundles" / "acdc_rrw" / "configs" / "train.json"
RATES = (0.0003, 0.001, 0.003)
EPOCHS = 8
SIZE = 96
SETTINGS = {
    "filters": [8, 16, 32, 64],
    "kernel_size": [3, 3, 3, 3],
    "upsampling": [2, 2, 2],
    "patch_size": [SIZE, SIZE],
    "batch_size": 4,
    "epochs": EPOCHS,
    "val_interval": 2,
    "num_workers": 0,
    "device": "cpu",
    "train#trainer#compile": False,
}


def train(data: Path, out: Path, loss: str, rate: float, iterations: int) -> dict:
    """Train once; return the Dice, what was printed of a collapse or a missing structure, and how the run ended."""
    workflow = ConfigWorkflow(
        str(CONFIG),
        workflow_type="train",
        dataset_dir=str(data),
        cache_dir=str(data.with_name("cache")),
        output_dir=str(out),
        loss=loss,
        learning_rate=rate,
        iterations_per_epoch=max(1, iterations // EPOCHS),
        **SETTINGS,
    )
    said, stopped = io.StringIO(), False
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        workflow.initialize()
        try:
            workflow.run()
        except SystemExit:  # how a bundle ends with one line; any other line than of a collapse is an error here too
            stopped = True
            if "has collapsed" not in said.getvalue():
                raise
    state = workflow.parser.get_parsed_content("train#collapse")
    evaluator = workflow.parser.get_parsed_content("validate#evaluator").state
    workflow.finalize()
    lines = [line for line in said.getvalue().splitlines() if "collapsed" in line or "nowhere" in line]
    return {
        "loss": loss,
        "learning_rate": rate,
        "best_dice": float(evaluator.best_metric),
        "collapsed": state.since is not None,
        "stopped": stopped,
        "said": lines,
    }


def main() -> None:
    """Run what is missing in the folder and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--losses", nargs="+", default=list(LOSS_NAMES), metavar="LOSS")
    parser.add_argument("--rates", nargs="+", type=float, default=RATES, metavar="RATE")
    parser.add_argument("--iterations", type=int, default=400)
    args = parser.parse_args()
    data = args.out / "data"
    if not data.is_dir():
        phantom("acdc", str(data), subjects=16, seed=0, size=SIZE, preset="hard")
    for loss in args.losses:
        for rate in args.rates:
            record = args.out / f"{loss.replace(':', '_')}_{rate:g}.json"
            if not record.is_file():
                result = train(data, args.out / "model", loss, rate, args.iterations)
                record.write_text(json.dumps(result, indent=2) + "\n")
    print(machine(), end="\n\n")
    print("| loss | learning rate | best validation Dice | end | said |\n| --- | --- | --- | --- | --- |")
    for loss in args.losses:
        for rate in args.rates:
            run = json.loads((args.out / f"{loss.replace(':', '_')}_{rate:g}.json").read_text())
            end = "collapsed, stopped" if run["stopped"] else "collapsed" if run["collapsed"] else "ran"
            end += ", nothing learned" if run["best_dice"] < 0.05 else ""
            said = "yes" if run["said"] else "no"
            print(f"| `{loss}` | {rate:g} | {run['best_dice']:.3f} | {end} | {said} |")


if __name__ == "__main__":
    main()
