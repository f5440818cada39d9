"""The results page of a study: what was asked, what the data support, and how it was computed."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import figures
from accounts import costs, failures, reproduction
from answer import answer, comparison_tables
from gradients import gradient_triangles
from latex import to_latex
from paper import paper_table
from pictures import TITLES, gradients_of_labels, worst_cases
from regionwise.evaluation.metric_info import metric as definition
from regionwise.evaluation.output import write_texts
from regionwise.files import atomic_path, read_json
from render import Heading, Items, Part, Picture, Text, to_html, to_markdown
from results import read_table

_NONE = object()


def report(out: Path) -> None:
    """Write ``report.html``, ``report.md`` with its figures, and ``report.tex`` to the folder of a study."""
    study = read_json(out / "study.json")
    title = f"Study '{study['preset']}'"
    datasets = list(dict.fromkeys(cell["dataset"] for cell in study["cells"].values()))
    parts: list[Part] = _introduction(out, study)
    for dataset in datasets:
        parts += _dataset(out, study, dataset)
    parts += [Heading("Gradients"), _triangles(), *(gradients_of_labels(out, study, dataset) for dataset in datasets)]
    parts += reproduction(out, study)
    folder = out / "figures"
    shutil.rmtree(folder, ignore_errors=True)
    for part in parts:
        if isinstance(part, Picture):
            with atomic_path(folder / part.name) as temporary:
                temporary.write_bytes(part.content.encode() if isinstance(part.content, str) else part.content)
    write_texts({
        out / "report.html": to_html(title, parts),
        out / "report.md": to_markdown(title, parts),
        out / "report.tex": to_latex(title, parts),
    })  # fmt: skip


def _introduction(out: Path, study: Mapping[str, Any]) -> list[Part]:
    cells = study["cells"]
    done = sum((out / "cells" / folder / "evaluation.json").is_file() for folder in cells)
    seeds = sorted({cell["seed"] for cell in cells.values()})
    methods = list(dict.fromkeys(cell["method"] for cell in cells.values()))
    text = (
        f"{len(cells)} planned trainings, {done} finished: losses {', '.join(f'`{one}`' for one in methods)}; seeds "
        f"{', '.join(map(str, seeds))}. Every loss has the same network, data, iterations and settings. The last "
        "weights are evaluated, so no validation result chose them."
    )
    synthetic = "The scans are synthetic: the figures say that the software works and nothing about patients."
    settings = [f"{name}: {_listed(own)}" for name, own in _shared_first(study["settings"]).items() if own]
    return [
        Text(text),
        *([Text(study["note"])] if study["note"] else []),
        *([Text("Settings, else as the bundles are released:"), Items(settings)] if settings else []),
        *([Text(synthetic)] if study["data"] == "phantom" else []),
    ]


def _shared_first(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the settings that all datasets share, as "all", and what else each one has."""
    if len(settings) == 1:
        return dict(settings)
    first, *others = settings.values()
    shared = {key: value for key, value in first.items() if all(own.get(key, _NONE) == value for own in others)}
    own = {name: {key: own[key] for key in own if key not in shared} for name, own in settings.items()}
    return {"all": shared, **own}


def _listed(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def _dataset(out: Path, study: Mapping[str, Any], dataset: str) -> list[Part]:
    folder = out / "results" / dataset
    comparison = read_json(folder / "comparison.json")
    rows, curves = read_table(folder / "cases.csv"), read_table(folder / "curves.csv")
    methods = [method for method in comparison["methods"] if method != "inter-rater"]
    parts: list[Part] = [
        Heading(TITLES.get(dataset, dataset)),
        *answer(comparison),
        *comparison_tables(dataset, comparison),
    ]
    parts += paper_table(study, dataset, comparison)
    parts += [Heading("Figures", 3)]
    if curves:
        picture = figures.validation_curves(curves, methods)
        caption = "Validation during training: mean over seeds, and the band from the lowest to the highest seed."
        parts.append(Picture(f"{dataset}_curves.svg", picture, caption))
    caption = "Distribution of the final mean Dice over runs (held-out cases): right is better, steep is steady."
    parts.append(Picture(f"{dataset}_cdf.svg", figures.final_dice(rows, methods), caption))
    for metric in comparison["metrics"]:
        picture = figures.paired_differences(rows, methods, comparison["baseline"], metric)
        caption = f"{definition(metric).title}: difference from `{comparison['baseline']}` per case, seeds averaged."
        parts.append(Picture(f"{dataset}_paired_{metric}.svg", picture, f"{caption} A bar is the mean."))
    shown = [one for one in comparison["ranking"] if one["metric"] == "dice"]
    caption = "Ranks by Dice over 1,000 bootstrap samples of the patients, in both aggregation orders."
    parts.append(Picture(f"{dataset}_ranks.svg", figures.rank_shares(shown, methods), caption))
    return [*parts, *worst_cases(out, study, dataset, rows, methods), *failures(folder), *costs(folder)]


def _triangles() -> Picture:
    return Picture(
        "gradients.svg", gradient_triangles(),
        "Direction of gradient descent over the softmax triangle for one voxel that is near the true class's border. "
        "The rectified map has one negative component everywhere; the signed distances of the Boundary loss have two.",
    )  # fmt: skip
