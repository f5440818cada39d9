"""Bad inputs that no generator draws: options that contradict each other, and files that are almost right."""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import nibabel as nib
import numpy as np
import torch

from .. import odd_scans
from .bad_values import RIGHT, _restore, prepare, run_in
from .label_maps import SPACING_MM, labels, write_labels
from .trial import Trial, files_of, find_problem

TWO = {"raters": "[predictions,references]"}
PROBABLE = {"probabilities": "probable"}

# Command to what is changed in its right line; "" leaves an option out.
CHOSEN: dict[str, tuple[Mapping[str, str], ...]] = {
    "phantom": (
        {"dataset": "kits", "preset": "hard"},
        {"out": "predictions"},
        {"out": "scan.nii.gz"},
        {"size": "31"},
        {"subjects": "0"},
    ),
    "check": (
        {"dataset": "brats"},
        {"dir": "predictions"},
        {"subset": "HGG"},
        {"fold": "1"},
        {"skip_bad": "out.json", "split": "kfold", "folds": "1"},
        {"skip_bad": "out.json", "split": "kfold", "fold": "9"},
        {"skip_bad": "scan.nii.gz"},
        {"skip_bad": "out.json", "split": "list.json"},
        {"skip_bad": "predictions"},
    ),
    "evaluate": (
        {"predictions": "references", "references": "empty"},
        {"predictions": "odd"},
        {"section": "val"},
        {"split": "paper"},
        {"dataset": "acdc"},
        {"classes": "one,two,three", "num_classes": "2"},
        {"classes": "one,one"},
        {"classes": "{1: one, 2: ''}"},
        {"classes": "{300: one}"},
        {"classes": "{0: background}"},
        {"classes": "one,two", "lesions": "three"},
        {"classes": "one,two", "tubular": "[1]"},
        {"classes": "one,two", "regions": "{all: [1, 9]}"},
        {"classes": "one,two", "regions": "brats"},
        {"classes": "one,two", "tolerances_mm": "[-1]"},
        {"classes": "one,two", "tolerances_mm": "[1, 1]"},
        {"classes": "one,two", "detection_ml": "-1"},
        {"probabilities": "predictions"},
        {"probabilities": "empty"},
        {"images": "empty"},
        {"uncertainty": "no_trust.csv"},
        {"uncertainty": "text_trust.csv"},
        {"uncertainty": "short_trust.csv"},
        {"uncertainty": "nan_trust.csv"},
        {"uncertainty": "binary"},
        {"out": "predictions/a.nii.gz"},
        {"label_map": "{1: 2, 2: 99999}"},
    ),
    "predict": (
        {"input": "odd"},
        {"input": "nan.nii.gz"},
        {"input": "text.txt"},
        {"checkpoint": "text.txt"},
        {"checkpoint": "[tiny/run/model.pt,none.pt]"},
        {"checkpoint": "nan.pt"},
        {"args_file": "list.json"},
        {"args_file": "code.json"},
        {"coverage": "0.9", "margins": "true"},
        {"coverage": "1.5"},
        {"uncertainty": "true", "dropout": "1.5"},
        {"uncertainty": "true", "dropout": "-1"},
        {"uncertainty": "true", "samples": "-3"},
        {"uncertainty": "true", "margins": "true"},
        {"uncertainty": "true", "calibration": "list.json"},
        {"uncertainty": "true", "calibration": "half.json"},
        {"samples": "3"},
        {"device": "cuda:99"},
        {"decoding": "dise"},
        {"patch_size": "[0,0]"},
        {"bundle": "tiny.zip"},
    ),
    "calibrate": (
        {"alpha": "0"},
        {"alpha": "1"},
        {"alpha": "0.01"},
        {"inside": "0"},
        {"inside": "1.5"},
        {"coverage": "0"},
        {"method": "temprature"},
        {"method": "isotonic", "checkpoint": "tiny/run/model.pt", **PROBABLE},
        {"checkpoint": "tiny/run/model.pt"},
        {"checkpoint": "tiny/run/model.pt", **PROBABLE},
        {"checkpoint": "text.txt", **PROBABLE},
        {"checkpoint": "tiny/run/model.pt", "output_layer": "none", **PROBABLE},
        {"classes": ""},
        {"classes": "one,two,three", **PROBABLE},
        {"classes": "{1: one, 1: two}"},
        {"probabilities": "predictions"},
        {"probabilities": "nan_probable"},
        {"probabilities": "empty"},
        {"uncertainty": "no_trust.csv"},
        {"uncertainty": "short_trust.csv"},
        {"uncertainty": "nan_trust.csv"},
        {"uncertainty": "binary"},
        {"predictions": "odd"},
        {"predictions": "empty"},
        {"references": "acdc", "dataset": "acdc"},
        {"section": "val"},
        {"out": "tiny/run", "checkpoint": "tiny/run/model.pt", "overwrite": "true", **PROBABLE},
    ),
    "next": (
        {"unlabelled": "odd"},
        {"unlabelled": "nan.nii.gz"},
        {"unlabelled": "four.nii.gz"},
        {"unlabelled": "twice"},
        {"round": "4"},
        {"round": "-1"},
        {"rounds": "0"},
        {"seed": "-1"},
        {"checkpoint": "text.txt"},
        {"checkpoint": "nan.pt"},
        {"checkpoint": ""},
        {"network": "list.json"},
        {"network": "code.json"},
        {"network": "half.json"},
        {"network": "empty.json"},
        {"network": "other_network.json"},
        {"model": "tiny.zip"},
        {"model": "broken"},
        {"out": "scan.nii.gz"},
        {"out": "text.txt/below"},
    ),
    "replay": (
        {"start": "0"},
        {"step": "0"},
        {"rounds": "1"},
        {"seeds": "0"},
        {"held_out": "0"},
        {"held_out": "1"},
        {"start": "50"},
        {"model": "broken"},
        {"model": "tiny.zip"},
        {"dir": "predictions"},
        {"out": "text.txt"},
        {"rounds": "2", "held_out": "0.4", "epochs": "abc"},
    ),
    "quantize": (
        {"calibration": "0"},
        {"threads": "0"},
        {"cases": "0"},
        {"cases": "-2"},
        {"fold": "7"},
        {"folds": "1"},
        {"folds": "100"},
        {"dir": "predictions"},
        {"checkpoint": "text.txt"},
        {"checkpoint": "nan.pt"},
        {"network": "list.json"},
        {"network": "code.json"},
        {"network": "other_network.json"},
        {"model": "broken"},
        {"model": "tiny.zip"},
        {"out": "text.txt"},
        {"out": "text.txt/below"},
    ),
    "fuse": (
        {"raters": "[predictions,predictions]"},
        {"raters": "predictions"},
        {"raters": "[predictions,empty]"},
        {"raters": "[predictions,odd]"},
        {"raters": "[predictions,moved]"},
        {"raters": "[predictions,fewer]"},
        {"raters": "[predictions,scan.nii.gz]"},
        {"raters": "predictions", "pattern": "{case}"},
        {"raters": "predictions", "pattern": "{case}({rater}"},
        {"method": "majorty"},
        {"classes": "one"},
        {"classes": "one,two", "num_classes": "9"},
        {"num_classes": "1"},
        {"num_classes": "2"},
        {"num_classes": "70000"},
        {"method": "random", "seed": "-1"},
        {"method": "random", "epoch": "-1"},
        {"out": "predictions/a.nii.gz"},
    ),
    "compare": (
        {"results": "[results_a,results_a]"},
        {"results": "[x=results_a,x=results_b]"},
        {"results": "results_a"},
        {"results": "[results_a,empty]"},
        {"results": "[results_a,list.json]"},
        {"baseline": "none"},
        {"metrics": "dise"},
        {"metrics": "dice,dice"},
        {"margins": "{dise: 0.01}"},
        {"margins": "{dice: 0}"},
        {"correction": "bonferroni"},
        {"level": "0"},
        {"permutations": "0"},
        {"groups": "no_trust.csv"},
        {"groups": "binary"},
        {"inter_rater": "empty"},
        {"rename": "{none: x}"},
        {"rename": "{class 1: class 2}"},
        {"out": "results_a/cases.csv"},
    ),
    "gradients": (
        {"labels": "scan.nii.gz"},
        {"output": "out.txt"},
        {"output": "references/a.nii.gz"},
        {"output": "scan.nii.gz", "overwrite": "true"},
        {"kind": "none"},
        {"num_classes": "1"},
        {"num_classes": "2"},
    ),
    "pack": (
        {"url": "example.org"},
        {"url": "http://example.org"},
        {"evaluation": "list_eval"},
        {"evaluation": "empty", "force": "true"},
        {"checkpoint": "none"},
        {"checkpoint": "nan_run"},
        {"checkpoint": "code_run"},
        {"bundle": "broken"},
        {"bundle": "tiny.zip"},
    ),
    "verify": ({"bundle": "tiny/source/acdc_rrw"}, {"bundle": "half.zip"}, {"bundle": "text.txt"}),
    "export": (
        {"formats": "ts,tf"},
        {"formats": ","},
        {"bundle": "tiny/source/acdc_rrw"},
        {"bundle": "half.zip"},
        {"out": "text.txt"},
    ),
    "dicom": ({"input": "predictions"}, {"input": "text.txt"}, {"slice_axis": "1"}, {"output_dir": "text.txt"}),
    "push": ({"to": "text.txt"}, {"to": "no/such/folder"}, {"bundle": "half.zip"}),
    "pull": ({"source": "empty"}, {"name": "other"}, {"version": "9.9.9"}, {"out": "text.txt"}),
}
# Where one scan of several is bad, the label maps of the others stay.
KEEPS = {("predict", "odd")}


def try_chosen(random: np.random.Generator, count: int, folder: Path) -> Iterator[Trial]:
    """Yield trials of ``count`` of the chosen lines, or of all where there are no more."""
    prepare(folder)
    spoil(folder)
    before = files_of(folder)
    lines = [(command, changes) for command, several in CHOSEN.items() for changes in several]
    for place in sorted(random.permutation(len(lines))[:count]):
        command, changes = lines[place]
        given = {name: value for name, value in (RIGHT[command] | changes).items() if value}
        words = [command, *(word for name, value in given.items() for word in (f"--{name}", value))]
        ending = run_in(folder, words)
        after = files_of(folder)
        if (command, changes.get("input")) in KEEPS:
            after = {name: digest for name, digest in after.items() if not name.startswith("out/predictions/")}
        yield Trial(f"chosen {command}", f"regionwise {' '.join(words)}", find_problem(ending, before, after))
        _restore(folder, before)


def spoil(folder: Path) -> None:
    """Write files that are almost what the commands read."""
    for name in ("odd", "moved", "fewer", "twice", "probable", "nan_probable", "broken/configs", "list_eval"):
        (folder / name).mkdir(parents=True)
    affine = np.diag((*SPACING_MM, 1.0))
    for number, case in enumerate("abc"):
        array = labels(number)
        nib.save(nib.Nifti1Image(array, affine + np.eye(4)[[3, 0, 1, 2]].T * 5), folder / "moved" / f"{case}.nii.gz")
        one_hot = np.stack([array == label for label in range(3)], -1).astype(np.float32) * 0.9 + 0.05 / 1.5
        nib.save(nib.Nifti1Image(one_hot, affine), folder / "probable" / f"{case}.nii.gz")
        nib.save(nib.Nifti1Image(one_hot * np.nan, affine), folder / "nan_probable" / f"{case}.nii.gz")
    shutil.copy(folder / "references" / "a.nii.gz", folder / "fewer")
    for case, odd in (("a", "four_axes"), ("b", "nan"), ("c", "half")):
        odd_scans.REFUSED[odd](folder / "odd" / f"{case}.nii.gz")
    odd_scans.REFUSED["nan"](folder / "nan.nii.gz")
    odd_scans.REFUSED["four_axes"](folder / "four.nii.gz")
    for suffix in (".nii", ".nii.gz"):
        write_labels(folder / "twice" / "a.nii.gz", labels(0)).rename(folder / "twice" / f"a{suffix}")
    trust = {"no": "case,x\na,1\n", "text": "case,trust\na,high\nb,1\nc,1\n", "short": "case,trust\na\nb,1\nc,1\n"}
    trust["nan"] = "case,trust\na,nan\nb,1\nc,inf\n"
    for name, text in trust.items():
        (folder / f"{name}_trust.csv").write_text(text)
    network = json.loads((folder / "tiny/run/network.json").read_text())
    other = {**network, "network_def": {**network["network_def"], "in_channels": 3}}
    code = {**network, "slice_axis": "$__import__('os').system('touch out_of_code')"}
    contents = {"list": [], "code": code, "empty": {}, "other_network": other}
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    (folder / "half.json").write_text('{"trust": {"thresholds": ')
    (folder / "list_eval" / "summary.json").write_text("[]")
    (folder / "broken/configs/inference.json").write_text('{"network_def": ')
    (folder / "broken/configs/train.json").write_text("[]")
    weights = torch.load(folder / "tiny/run/model.pt", weights_only=True)
    nan = {name: value * float("nan") for name, value in weights.items()}
    torch.save(nan, folder / "nan.pt")
    for name, state, text in (("nan", nan, network), ("code", weights, code)):
        shutil.copytree(folder / "tiny/run", folder / f"{name}_run")
        torch.save(state, folder / f"{name}_run/model.pt")
        (folder / f"{name}_run/network.json").write_text(json.dumps(text))
    (folder / "half.zip").write_bytes((folder / "tiny.zip").read_bytes()[:5000])
