"""Sections that packing adds to a bundle's model card: usage and evaluation."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..evaluation.metric_info import metric

# Of an evaluation's metrics, those in the model card and the metadata.
CARD_METRICS = ("dice", "hd_mm", "hd95_mm", "assd_mm", "nsd_2mm")


def scores(summary: Mapping[str, Any]) -> dict[str, dict[str, float | int]]:
    """Return structure to metric to mean, with the number of cases, for the metadata's ``eval_metrics``."""
    result = {}
    for structure, one in _structures(summary).items():
        means = {name: _mean(one, name) for name in CARD_METRICS}
        result[structure] = {name: round(mean, 4) for name, mean in means.items() if mean is not None}
        result[structure]["n"] = one["n"]
    return result


def evaluation_section(summary: Mapping[str, Any] | None, run: Mapping[str, Any]) -> str:
    """Return the evaluation as a section of the model card.

    Args:
        summary: content of the evaluation's summary.json, or None if there was none.
        run: content of the training's run.json, {} if there is none.
    """
    if summary is None:
        return "## Evaluation of these weights\n\nNone was made.\n"
    structures = _structures(summary)
    names = [name for name in CARD_METRICS if any(_mean(one, name) is not None for one in structures.values())]
    heads = ["structure", "n", *(metric(name).title for name in names)]
    rows = [heads, ["---", *["---:"] * (len(heads) - 1)]]
    for structure, one in structures.items():
        rows.append([structure, str(one["n"]), *(_mean_and_spread(one, name) for name in names)])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    definitions = "\n".join(f"- {metric(name).title}: {metric(name).definition}" for name in names)
    ids = ("dataset", "split", "fold", "seed", "loss", "epochs")
    trained = ", ".join(f"{key} {run[key]}" for key in ids if key in run)
    skipped = summary.get("skipped") or []
    return (
        f"## Evaluation of these weights\n\n{table}\n\n"
        f"Mean and standard deviation over {summary['n_cases']} cases ({summary['protocol']['evaluated']}). "
        f"Empty masks: {summary['empty_masks']}.\n"
        + (f"{len(skipped)} cases could not be measured.\n" if skipped else "")
        + (f"Trained with: {trained}.\n" if trained else "")
        + f"\n{definitions}\n"
    )


def usage_section(name: str, version: str, training_packages: Sequence[str], versions: Mapping[str, str]) -> str:
    """Return how to run the packed bundle as a section of the model card."""
    install = " ".join(f"{package}=={number}" for package, number in sorted(versions.items()))
    training = " ".join(f'"{package}"' for package in training_packages)
    return f"""## Use of this packed bundle

Inference needs MONAI; of the package `regionwise` in this folder it runs what checks scans and weights:

    pip install {install}
    python -m monai.bundle run --config_file {name}/configs/inference.json --input scan.nii.gz --output_dir out

`--input` is a file or a folder of files. A scan that cannot be segmented is named, and the others are segmented.
Label maps of an earlier run are replaced with `--overwrite true` only. The command runs from any working directory.
From Python, say where the bundle is:

    workflow = monai.bundle.create_workflow(config_file="{name}/configs/inference.json", workflow_type="infer",
                                            bundle_root="{name}", input="scan.nii.gz", output_dir="out")
    network = monai.bundle.load("{name}", bundle_dir=".", workflow_type="inference")

Fine-tuning starts from models/model.pt (`--pretrained null`: from scratch) and writes to `--output_dir`, by default
{name}/finetuned. From there the best weights become models/model.pt, where MONAI Label and other tools look; the
packed ones are kept as models/model_packed.pt. With another `--output_dir` the bundle stays as it is. Training
runs the package `regionwise` in this folder, which needs:

    pip install {training}
    python -m monai.bundle run training --config_file {name}/configs/train.json --dataset_dir DIR

Two bundles that were packed with different versions of this package cannot train in one process; the second says so.
Inference of both is checked by the first one's code.

Check the files: `cd {name} && sha256sum -c {name}_v{version}.sha256`.
"""


def _structures(summary: Mapping[str, Any]) -> Mapping[str, Any]:
    # A summary.json of an older version has its numbers under "classes".
    return summary.get("classes") or summary["structures"]


def _mean(structure: Mapping[str, Any], name: str) -> float | None:
    statistics = structure["metrics"].get(name)
    return None if statistics is None else statistics["mean"]


def _mean_and_spread(structure: Mapping[str, Any], name: str) -> str:
    statistics = structure["metrics"].get(name)
    if statistics is None:
        return "-"
    digits = metric(name).digits
    spread = "" if statistics["std"] is None else f" ± {statistics['std']:.{digits}f}"
    return f"{statistics['mean']:.{digits}f}{spread}"
