"""``python -m regionwise predict``: segment scans and, if asked, say how far each result can be trusted."""

from hashlib import sha256
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser
from monai.bundle import run as run_bundle

from ..bundle.command_line import read_arguments
from ..bundle.lint import find_problems
from ..bundle.recorded import check_plain
from ..calibration.record import FILE, margin_of, read_record
from ..datasets import LABELS
from ..errors import InputError
from .inferer import MAPS

CONFIGS = ("evaluate.json", "ensemble.json")
HERE = "regionwise.prediction"


def predict(
    bundle: str,
    input: str,
    output_dir: str,
    checkpoint: str | list[str] | None = None,
    uncertainty: bool = False,
    tta: bool = True,
    dropout: float = 0.0,
    samples: int = 0,
    margins: bool = False,
    calibration: str | None = None,
    coverage: float = 0.9,
    device: str | None = None,
    args_file: str | None = None,
    overwrite: bool = False,
    **overrides: Any,
) -> None:
    """Segment scans with a bundle: OUTPUT_DIR/predictions holds a label map per scan.

    With --uncertainty also OUTPUT_DIR/uncertainty.csv, one row per case with a trust score that needs no reference and
    whether to send the case to a human, and OUTPUT_DIR/uncertainty with maps of predictive entropy and mutual
    information. The members that are compared are networks, mirrored copies of the scan and samples of dropout.

    Args:
        bundle: Folder of the bundle, such as bundles/hippocampus_rrw, or of an unpacked one.
        input: A scan, or a folder of scans.
        output_dir: Folder to write to.
        checkpoint: Weights, several for an ensemble (a.pt,b.pt); by default those of the bundle.
        uncertainty: Write the table and the maps.
        tta: Mirrored copies as members.
        dropout: Rate of dropout. A network that was trained without gives a rough measure; train with
            --network_def#dropout to sample from what was trained.
        samples: Samples of dropout per network and copy; by default 10 with --dropout, else none.
        margins: Write OUTPUT_DIR/margins: per structure 1 within the outer contour, 2 the prediction, 3 within the
            inner contour. The radii are those of the calibration.
        calibration: The calibration.json of ``regionwise calibrate``; by default the one beside the checkpoint, or
            without --checkpoint configs/calibration.json or models/calibration.json of the bundle.
        coverage: Share of cases to accept at least without a human, if the calibration has no threshold.
        device: Such as cuda:0; by default the bundle's choice.
        args_file: Settings of the run, such as RUN/network.json.
        overwrite: Replace the label maps of an earlier run.
        overrides: Ids of the bundle's configuration, as for ``python -m monai.bundle run``.
    """
    configs = [str(Path(bundle) / "configs" / name) for name in CONFIGS]
    for path in configs:
        if not Path(path).is_file():
            raise InputError(f"expected a configuration at {path}, not found; pass the folder of a bundle as --bundle")
    if isinstance(checkpoint, str) and "," in checkpoint and not Path(checkpoint).is_file():
        checkpoint = [name.strip() for name in checkpoint.split(",")]
    given = {
        "bundle_root": bundle,
        "input": input,
        "output_dir": output_dir,
        "tta": tta,
        "overwrite": overwrite,
        **overrides,
    }
    given |= {key: value for key, value in (("checkpoint", checkpoint), ("device", device)) if value is not None}
    if (dropout or samples or margins or calibration) and not uncertainty:
        raise InputError("--dropout, --samples, --margins and --calibration are parts of --uncertainty; pass it too")
    if not 0 < coverage <= 1:
        raise InputError(f"expected --coverage in (0, 1], found {coverage:g}")
    if not 0 <= dropout < 1 or samples < 0:
        raise InputError(f"expected --dropout in [0, 1) and --samples >= 0, found {dropout:g} and {samples}")
    recorded = {} if args_file is None else read_arguments(args_file)
    check_plain(recorded, args_file or "")
    problems = find_problems(configs, {**recorded, **given}, "predicting")
    if problems:
        raise InputError(problems[0])
    if uncertainty:
        config = ConfigParser.load_config_files(configs)
        record = find_record(bundle, checkpoint, calibration, needed=margins)
        given |= uncertainty_overrides(config, samples or (10 if dropout else 0), margins, record, coverage)
    if dropout:
        given["network_def#dropout"] = dropout
    run_bundle("predicting", config_file=configs, args_file=args_file, **given)


def find_record(
    bundle: str, checkpoint: str | list[str] | None, calibration: str | None, needed: bool
) -> dict[str, Any] | None:
    """Read the calibration of the weights; None where there is none.

    Raises:
        InputError: If there is none but one is named or needed, it cannot be read, or it is of other weights.
    """
    own = Path(bundle) / "models" / "model.pt"
    weights = own if checkpoint is None else Path(str(checkpoint))
    if calibration:
        places = [Path(calibration)]
    elif weights.resolve() == own.resolve():
        places = [Path(bundle) / part / FILE for part in ("configs", "models")]
    else:
        places = [weights.parent / FILE] if weights.is_file() else []
    found = [path for path in places if path.is_file()]
    if not found and (calibration or needed):
        where = f"expected a calibration at {places[0]}, not found" if places else "these weights have no calibration"
        raise InputError(f"{where}; make one with 'regionwise calibrate', and pass it as --calibration")
    if not found:
        return None
    record = read_record(found[0])
    if weights.is_file() and record.get("weights_sha256") not in (None, sha256(weights.read_bytes()).hexdigest()):
        raise InputError(f"{found[0]} is of other weights than {weights}; make one with 'regionwise calibrate'")
    return record


def uncertainty_overrides(
    config: dict[str, Any], samples: int, margins: bool, record: dict[str, Any] | None, coverage: float
) -> dict[str, Any]:
    """Return what the configuration of a prediction gets in addition, to measure its uncertainty.

    Args:
        config: Content of evaluate.json and ensemble.json.
        samples: Samples of dropout.
        margins: Write margins.
        record: Calibration of the bundle, if there is one.
        coverage: Share of cases to accept at least.

    Raises:
        InputError: If the calibration lacks a structure's margin.
    """
    names = [name for label, name in LABELS[config["report"]["dataset"]].items() if label]
    radii = {name: list(margin_of(record, name)) for name in names} if margins and record is not None else {}
    # One channel after the other goes back to the voxels of the scan: all at once would need three times the memory.
    steps = [{"_target_": f"{HERE}.output.SplitMapsd", "keys": "pred"}]
    for step in config["postprocessing"]["transforms"]:
        steps.append(step | {"keys": ["pred", *MAPS]} if step["_target_"] == "Invertd" else step)
    save = {
        "_target_": f"{HERE}.output.SaveUncertaintyd",
        "folder": "@output_dir",
        "measures": "@measures",
        "names": names,
        "margins_mm": radii,
        "thresholds": record["trust"]["thresholds"] if record is not None else {},
        "coverage": coverage,
    }
    inferer = {
        "_target_": f"{HERE}.inferer.UncertaintyInferer",
        "roi_size": "@patch_size",
        "measures": "@measures",
        "slice_axis": "@slice_axis",
        "probabilities": config["inferer"]["probabilities"],
    }
    return {
        "measures": {"_target_": f"{HERE}.measures.measures_of", "record": record},
        "ensemble": {**config["ensemble"], "_target_": f"{HERE}.members.load_members", "samples": samples},
        "inferer": {
            "_target_": "regionwise.precision.PrecisionInferer",
            "precision": config["inferer"]["precision"],
            "inferer": inferer,
        },
        "postprocessing#transforms": [*steps, save],
    }
