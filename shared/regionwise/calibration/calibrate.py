"""``python -m regionwise calibrate``: fit temperature, volumes, trust threshold and margins on validation cases."""

import json
import shutil
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import InputError, did_you_mean
from ..evaluation.cases import Case, nifti_files
from ..evaluation.output import as_folder, check_outputs, check_writable, write_texts
from ..evaluation.pairing import find_cases, with_probabilities
from ..evaluation.settings import EvaluationSettings
from ..evaluation.trust import COVERAGE, SOFT_DICE, read_trust
from ..files import atomic_path
from ..uncertainty import trust_threshold
from ..uncertainty.margins import DEFAULT_ALPHA, DEFAULT_INSIDE
from ..weights import inference_weights, load_checkpoint
from .fitting import describe, find_margins, fit_cases, measure_cross_fitted, pool
from .record import FILE, METHODS_OF_PROBABILITIES, text_table
from .report import calibration_html
from .scaling import Scaling
from .weights import OUTPUT_LAYER, scale_weights

REPORT = "calibration.html"
WEIGHTS = "model.pt"
BESIDE = ("network.json", "run.json")
"""Files of a run that say which network its weights are of."""


def calibrate(
    predictions: str,
    references: str,
    out: str,
    probabilities: str | None = None,
    dataset: str | None = None,
    section: str | None = None,
    split: str | None = None,
    classes: str | list[str] | dict[int, str] | None = None,
    checkpoint: str | None = None,
    method: str = "temperature",
    output_layer: str = OUTPUT_LAYER,
    alpha: float = DEFAULT_ALPHA,
    inside: float = DEFAULT_INSIDE,
    coverage: float = COVERAGE,
    uncertainty: str | None = None,
    overwrite: bool = False,
) -> None:
    """Fit temperature, volumes, trust threshold and margins on validation cases, and write them with the weights.

    Written are OUT/calibration.json, OUT/calibration.html (before and after) and, with a checkpoint, OUT/model.pt: its
    weights, with a temperature or bias in the last layer, which any tool runs as it ran the others. Predictions and
    probabilities are those of evaluate.json with --save_probabilities true --tta false.

    Args:
        predictions: Folder of label maps of validation cases, which the training did not see.
        references: Folder of label maps of the same names, or the root of ``dataset``.
        out: Folder to write to.
        probabilities: Folder of class probabilities of the same names; without it, only margins are found.
        dataset: Read ``references`` in the layout of acdc, brats, kits or msd.
        section: Part of the dataset: all (the default), train or val.
        split: The split that ``section`` is of.
        classes: Names of labels 1, 2, ...; by default those of the dataset.
        checkpoint: Weights that made the predictions.
        method: temperature (one number; labels stay the same), bias (and a shift per class; labels may change),
            isotonic (a rising function of the probability of each class), lead (one of the lead of the most probable
            class) or local (a temperature per voxel, from the leads around it). With the last three labels stay the
            same, and no layer can hold them: ``predict --uncertainty`` applies them.
        output_layer: Name of the layer that gives the logits, a convolution.
        alpha: Share of patients that the margins may fail in, at least 1 / (patients + 1).
        inside: Share of a structure that has to lie within its margin.
        coverage: Share of cases to accept without a human.
        uncertainty: An uncertainty.csv of these cases (``regionwise predict --uncertainty``), to find the threshold of
            its trust score too.
        overwrite: Replace files in ``out``.
    """
    folder = as_folder(out, "calibrate")
    settings = EvaluationSettings.from_options(dataset, classes=classes)
    cases = find_calibration_cases(predictions, references, probabilities, dataset, section, split)
    structures = settings.classes
    if structures is None:
        raise InputError("'calibrate' needs the names of the structures: pass --classes or --dataset")
    _check_options(method, checkpoint, probabilities, coverage)
    check_writable(folder)
    outputs = [folder / name for name in (FILE, REPORT, *((WEIGHTS, *BESIDE) if checkpoint else ()))]
    check_outputs(outputs, [Path(checkpoint)] if checkpoint else [], overwrite)
    patients = patients_of(cases)
    record: dict[str, Any] = {
        "cases": len(cases),
        "patients": len(set(patients)),
        "scaling": None,
        "margins_mm": find_margins(cases, patients, structures, settings, alpha, inside),
        "trust": {"coverage": coverage, "thresholds": {}},
        "volumes": {},
    }
    report, scaling = None, None
    if probabilities is not None:
        scaling = fit_cases(cases, settings, method)
        measured = measure_cross_fitted(cases, patients, structures, settings, method, scaling)
        record |= describe(measured, structures, method, scaling)
        confidence = [float(np.mean([one.confidence for one in case.values()])) for case in measured["final"]]
        record["trust"]["thresholds"][SOFT_DICE] = trust_threshold(confidence, coverage)
        report = calibration_html(record, {way: pool(measured[way], structures) for way in ("before", "after")})
    if uncertainty is not None:
        trust, score = read_trust(uncertainty, [case.name for case in cases])
        record["trust"]["thresholds"][score] = trust_threshold(list(trust.values()), coverage)
    if checkpoint is not None:
        in_layer = scaling if isinstance(scaling, Scaling) else None
        record["weights_sha256"] = write_weights(Path(checkpoint), in_layer, output_layer, folder)
    texts = {folder / FILE: json.dumps(record, indent=2, allow_nan=False) + "\n"}
    write_texts(texts | ({folder / REPORT: report} if report is not None else {}))
    print(text_table(record))
    print(f"calibration: {folder / FILE}")


def _check_options(method: str, checkpoint: str | None, probabilities: str | None, coverage: float) -> None:
    """Refuse a method that is none, weights that could not be scaled, and a share that is none."""
    if method not in METHODS_OF_PROBABILITIES:
        raise InputError(f"Unknown --method '{method}'; {did_you_mean(method, METHODS_OF_PROBABILITIES)}")
    if checkpoint is not None and probabilities is None:
        raise InputError("scaling the weights of --checkpoint needs the --probabilities that they gave")
    if not 0 < coverage <= 1:
        raise InputError(f"expected --coverage in (0, 1], found {coverage:g}")


def find_calibration_cases(
    predictions: str,
    references: str,
    probabilities: str | None,
    dataset: str | None,
    section: str | None,
    split: str | None,
) -> list[Case]:
    """Pair predictions with references; references that nothing was predicted for are no calibration cases.

    Raises:
        InputError: If a prediction has no reference or no probabilities.
    """
    cases, problems = find_cases(predictions, references, dataset, section, split)
    predicted = set(nifti_files(predictions)[0])
    problems = [one for one in problems if one.case in predicted]
    if probabilities is not None:
        cases, more = with_probabilities(cases, probabilities)
        problems = [*problems, *more]
    if problems:
        raise InputError(f"{len(problems)} cases cannot be used, first {problems[0].case}: {problems[0].reason}")
    return cases


def patients_of(cases: Sequence[Case]) -> list[str]:
    """Patient of each case; a case without one is a patient of its own."""
    return [case.patient or case.name for case in cases]


def write_weights(checkpoint: Path, scaling: Scaling | None, layer: str, folder: Path) -> str:
    """Write the weights, scaled if there is a scaling, and which network they are of; return their SHA-256."""
    content = load_checkpoint(checkpoint)
    weights = content.get("network", content) if isinstance(content, dict) else content
    scaled = inference_weights(weights)
    # A file that needs no change keeps its digest, so that the calibration is of the weights as they were released.
    as_it_is = scaling is None and weights is content and scaled.keys() == content.keys()
    if scaling is not None:
        scaled = scale_weights(scaled, scaling, layer)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / WEIGHTS) as temporary:
        if as_it_is:
            shutil.copyfile(checkpoint, temporary)
        else:
            torch.save({name: value.contiguous() for name, value in scaled.items()}, temporary)
    for name in BESIDE:
        if (checkpoint.parent / name).is_file():
            with atomic_path(folder / name) as temporary:
                shutil.copyfile(checkpoint.parent / name, temporary)
    return sha256((folder / WEIGHTS).read_bytes()).hexdigest()
