"""The results page of a study: what was asked, what the data support, and how it was computed."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import figures
import numpy as np
from paper import paper_table
from regionwise.evaluation.metric_info import metric as definition
from regionwise.evaluation.output import write_texts
from regionwise.files import atomic_path, read_json
from render import Code, Heading, Items, Part, Picture, Table, Text, to_html, to_markdown
from results import Cells, read_table
from worst import draw_worst, worst_case_names

WORST = 3
PATIENTS = {
    "acdc": "The two frames of a patient count as one.",
    "hippocampus": "Every scan counts as a patient: the set does not say which two are the sides of one person.",
}
TITLES = {"acdc": "ACDC", "brats": "BraTS", "kits": "KiTS", "hippocampus": "Hippocampus (MSD Task04)"}
CREDITS = {"hippocampus": " Scans: Medical Segmentation Decathlon, Task04, CC BY-SA 4.0."}


def report(out: Path) -> None:
    """Write ``report.html``, ``report.md`` with its figures, and ``report.tex`` to the folder of a study."""
    study = read_json(out / "study.json")
    title = f"Study '{study['preset']}'"
    parts: list[Part] = [*_introduction(out, study)]
    latex = []
    for dataset in dict.fromkeys(cell["dataset"] for cell in study["cells"].values()):
        parts += _dataset(out, study, dataset)
        latex.append(f"% {dataset}\n" + (out / "results" / dataset / "table.tex").read_text(encoding="utf-8"))
    gradient = Picture(
        "gradients.svg", figures.gradient_triangles(),
        "Direction of gradient descent over the softmax triangle for one voxel that is near the true class's border. "
        "The rectified map has one negative component everywhere; the signed distances of the Boundary loss have two.",
    )  # fmt: skip
    parts += [Heading("Gradients"), gradient, *_reproduction(out, study)]
    folder = out / "figures"
    shutil.rmtree(folder, ignore_errors=True)
    for part in parts:
        if isinstance(part, Picture):
            with atomic_path(folder / part.name) as temporary:
                temporary.write_bytes(part.content.encode() if isinstance(part.content, str) else part.content)
    write_texts({
        out / "report.html": to_html(title, parts),
        out / "report.md": to_markdown(title, parts),
        out / "report.tex": "\n".join(latex),
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
    settings = [
        f"{dataset}: "
        + ", ".join(f"{name} {value}" for name, value in own.items())
        + "; else as the bundle is released"
        for dataset, own in study["settings"].items()
    ]
    note = [Text(study["note"])] if study["note"] else []
    return [Text(text), *note, Items(settings), *([Text(synthetic)] if study["data"] == "phantom" else [])]


def _dataset(out: Path, study: Mapping[str, Any], dataset: str) -> list[Part]:
    folder = out / "results" / dataset
    comparison = read_json(folder / "comparison.json")
    rows, curves = read_table(folder / "cases.csv"), read_table(folder / "curves.csv")
    methods = [method for method in comparison["methods"] if method != "inter-rater"]
    parts: list[Part] = [Heading(TITLES.get(dataset, dataset)), *_answer(comparison), *_tables(dataset, comparison)]
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
    return [*parts, *_worst(out, study, dataset, rows, methods), *_failures(folder), *_costs(folder)]


def _answer(comparison: Mapping[str, Any]) -> list[Part]:
    """Return what the data say to the paper's claim, per competitor and for all claims together."""
    baseline = comparison["baseline"]
    spread = {
        method: [one["seed"] for one in comparison["variance"] if one["method"] == method and one["metric"] == "dice"]
        for method in comparison["methods"]
    }
    items = []
    for method in comparison["methods"]:
        own = [one for one in comparison["comparisons"] if one["method"] == method]
        if not own:
            continue
        dice = [one for one in own if one["metric"] == "dice"]
        if dice:
            claims = "; ".join(map(_claim, dice))
            items.append(f"`{baseline}` is as good as `{method}` or better: **{_verdict(dice)}** ({claims})")
    lines = [
        f"`{method}` {', '.join('-' if one is None else f'{one:.3f}' for one in seeds)}"
        for method, seeds in spread.items()
    ]
    return [
        Heading("What the data support", 3),
        Text(
            f"The paper claims that RRW is as good as or better than the other losses, and more stable. In brackets: "
            f"Dice of the other loss minus that of `{baseline}`, its 95 % interval over patients and seeds, and what "
            "may be claimed of the other loss."
        ),
        Items(items),
        Text("Standard deviation of the mean Dice between seeds, per structure: " + "; ".join(lines) + "."),
        Text(
            "Too few runs to test a difference of two such deviations: they are shown, not claimed. With so few seeds "
            "the intervals, too, are rather too narrow."
            if max(one["seeds"] for one in comparison["methods"].values()) < 10
            else "Not tested."
        ),
        Items([
            f"Seeds: {one['seeds']}, patients: {one['patients']}. Differences of {one['difference']:.3f} in the Dice "
            f"of {one['structure']} are found with a power of {one['power']:.0%}."
            for one in comparison["detectable"] if one["metric"] == "dice"
        ]),
    ]  # fmt: skip


def _verdict(own: Sequence[Mapping[str, Any]]) -> str:
    """Return what the claims about the Dice of one loss say to "the baseline is as good as it or better"."""
    claims = [one["claim"] for one in own]
    if any("better" in claim for claim in claims):
        return "contradicted"
    return "supported" if all(claim != "not supported" for claim in claims) else "not decided"


def _claim(one: Mapping[str, Any]) -> str:
    digits = definition(one["metric"]).digits
    low, high = one["interval"] or (float("nan"), float("nan"))
    numbers = f"{one['mean_difference']:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"
    return f"{one['structure']} {numbers}, {one['claim']}"


def _tables(dataset: str, comparison: Mapping[str, Any]) -> list[Part]:
    columns = [(structure, metric) for structure in comparison["structures"] for metric in comparison["metrics"]]
    heads = ["loss", "seeds", *(f"{structure} {comparison['metrics'][metric]}" for structure, metric in columns)]
    rows = [
        [method, str(one["seeds"]), *(_mean(one["structures"], *column) for column in columns)]
        for method, one in comparison["methods"].items()
    ]
    claims = [_claim_row(one) for one in comparison["comparisons"]]
    return [
        Heading("Means", 3),
        Table(heads, rows),
        Text(
            f"Means over {comparison['patients']['n']} patients and all seeds, with the 95 % interval (two-level "
            f"bootstrap, patients and seeds drawn). {PATIENTS.get(dataset, '')}".rstrip()
        ),
        *([Items(comparison["notes"])] if comparison["notes"] else []),
        Heading(f"Every loss against {comparison['baseline']}", 3),
        Table(["loss", "structure", "metric", "difference", "low", "high", "p (Holm)", "effect", "claim"], claims),
        Text(
            "Permutation test over patients, Holm within metrics x structures of one pair. A claim is supported where "
            "the corrected p is below 0.05, the probability that it is false is below 5 %, and the interval, which "
            "draws the seeds too, excludes 0; equivalent where two one-sided tests and that interval exclude "
            "differences beyond the margin."
        ),
    ]


def _claim_row(one: Mapping[str, Any]) -> list[str]:
    digits = definition(one["metric"]).digits
    low, high = one["interval"] or (float("nan"), float("nan"))
    numbers = [f"{value:+.{digits}f}" for value in (one["mean_difference"], low, high)]
    effect = "-" if one["effect_size"] is None else f"{one['effect_size']:+.2f}"
    title = definition(one["metric"]).title
    return [one["method"], one["structure"], title, *numbers, f"{one['p_holm']:.4f}", effect, one["claim"]]


def _mean(structures: Mapping[str, Any], structure: str, metric: str) -> str:
    cell = structures.get(structure, {}).get(metric)
    if cell is None:
        return "-"
    digits = definition(metric).digits
    low, high = cell["interval"] or (None, None)
    return f"{cell['mean']:.{digits}f}" + ("" if low is None else f" [{low:.{digits}f}, {high:.{digits}f}]")


def _worst(
    out: Path, study: Mapping[str, Any], dataset: str, rows: Sequence[Mapping[str, str]], methods: Sequence[str]
) -> list[Part]:
    names = worst_case_names(rows, WORST)
    predictions: dict[str, dict[str, Path]] = {}
    for folder, cell in study["cells"].items():
        if cell["dataset"] == dataset and cell["method"] in methods:
            files = {name: out / "cells" / folder / "evaluation" / "predictions" / f"{name}.nii.gz" for name in names}
            found = {name: file for name, file in files.items() if file.is_file()}
            # The first seed that has them.
            predictions.setdefault(cell["method"], {}).update(
                {name: file for name, file in found.items() if name not in predictions.get(cell["method"], {})}
            )
    complete = {method: files for method, files in predictions.items() if set(files) == set(names)}
    prepared = read_json(next(iter(sorted((out / "data" / dataset).glob("fold*/prepared.json")))))
    # The workflow says where the scans are now.
    scans = os.environ.get(f"SCANS_{dataset}") or prepared["scans"]
    picture = draw_worst(names, complete, study["readers"][dataset], scans)
    caption = "The cases with the lowest mean Dice over all losses: reference, and the first seed of each loss."
    caption += CREDITS.get(dataset, "") if study["data"] != "phantom" else ""
    return [Heading("Worst cases", 3), Picture(f"{dataset}_worst.png", picture, caption)]


def _failures(folder: Path) -> list[Part]:
    rows = read_table(folder / "failures.csv")
    items = [f"`{row['method']}`, seed {row['seed']}: {row['kind']} - {row['line']}" for row in rows]
    return [Heading("Failures and collapses", 3), Items(items) if items else Text("None.")]


def _costs(folder: Path) -> list[Part]:
    rows = read_table(folder / "cost.csv")
    table = []
    for method in dict.fromkeys(row["method"] for row in rows):
        own = [row for row in rows if row["method"] == method]

        def mean(column: str, own: list[dict[str, str]] = own) -> str:
            values = [float(row[column]) for row in own if row[column]]
            return f"{np.mean(values):.1f}" if values else "-"

        resumed = sum(row["resumed"] == "yes" for row in own)
        columns = ("train_wall_s", "train_cpu_s", "train_peak_memory_gib", "evaluate_wall_s", "train_energy_j")
        table.append([method, str(len(own)), *map(mean, columns), str(resumed)])
    heads = ["loss", "runs", "training (s)", "CPU time (s)", "memory (GiB)", "evaluation (s)", "energy (J)", "resumed"]
    return [
        Heading("Cost per cell", 3),
        Table(heads, table),
        Text("Means over runs; of a resumed run only its last part. Energy: - where no counter can be read."),
    ]


def _reproduction(out: Path, study: Mapping[str, Any]) -> list[Part]:
    records = _records(out, study["cells"])
    if not records:
        return []
    first = records[0]
    machines = {(one["machine"]["cpu"], *one["machine"]["units"], *one["machine"]["gpus"]) for one in records}
    digests = {key: sorted({one[key] for one in records}) for key in ("package_sha256", "data_sha256")}
    commands = [f"scripts/study.sh {study['preset']} --data DIR --out OUT", "", _shown(first)]
    versions = ", ".join(f"{name} {number}" for name, number in first["versions"].items() if number)
    return [
        Heading("How it was computed"),
        Code("\n".join(commands)),
        Items([
            "The second line is the training of the first cell; the others differ in loss and seed.",
            f"Versions: {versions}; Python {first['machine']['python']}.",
            *(f"Machine: {', '.join(one)}, {first['machine']['threads'] or 'all'} thread(s) per training."
              for one in sorted(machines)),
            *(f"{key.removesuffix('_sha256')} SHA-256: `{digest}`" for key, own in digests.items() for digest in own),
        ]),
    ]  # fmt: skip


def _records(out: Path, cells: Cells) -> list[dict[str, Any]]:
    files = [out / "cells" / folder / "train.json" for folder in cells]
    return [read_json(file) for file in files if file.is_file()]


def _shown(record: Mapping[str, Any]) -> str:
    """Return a cell's command without the paths of the machine it ran on."""
    words = ["python", *record["command"][1:]]
    at = words.index("--dataset_dir") + 1
    words[at] = "DIR"
    root = words[words.index("--bundle_root") + 1].removesuffix(f"/bundles/{record['spec']['bundle']}")
    out = words[words.index("--output_dir") + 1].partition("/cells/")[0]
    words = [word.replace(out, "OUT").replace(f"{root}/", "") for word in words]
    return " ".join(f'"{word}"' if any(mark in word for mark in " [") else word for word in words)
