"""The paper's numbers beside a study's, and whether the two can be compared."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regionwise.evaluation.metric_info import metric as definition
from regionwise.files import read_json
from render import Heading, Items, Part, Table, Text

PAPER = Path(__file__).with_name("paper.json")
METRICS = ("dice", "hd_mm")
# What the bundles do otherwise than the paper, whatever the preset.
ALWAYS = (
    "distances are computed once per 3-D volume in mm; the published code computes them per 2-D batch",
    "the paper does not say which epoch's weights it evaluates; here it is the last",
)


def protocol_differences(study: Mapping[str, Any], dataset: str) -> list[str]:
    """Reasons why the numbers of a study are not those of the paper's protocol; empty: as far as it is known, they are.

    Args:
        study: Content of study.json.
        dataset: Name of the dataset, one of the paper's.
    """
    reasons = []
    if study["data"] == "phantom":
        reasons.append("the scans are synthetic")
    changed = sorted(set(study["settings"].get(dataset, {})) - {"on_collapse", "val_interval", "num_workers"})
    if changed:
        reasons.append(f"the preset changes {', '.join(f'`{name}`' for name in changed)}")
    if dataset == "kits":
        reasons.append("whole volumes are evaluated; the paper kept only slices that hold a label")
    return reasons


def paper_table(study: Mapping[str, Any], dataset: str, comparison: Mapping[str, Any]) -> list[Part]:
    """Table of the paper's means beside this study's."""
    content = read_json(PAPER)
    title = Heading("Beside the paper's numbers", 3)
    if dataset not in content:
        return [title, Text(f"Same protocol? No: {dataset} is not in the paper.")]
    published, columns = content[dataset], [(s, m) for s in content[dataset]["structures"] for m in METRICS]
    rows = []
    for method, name in content["methods"].items():
        numbers = [value for pair in published[method] for value in pair]
        own = comparison["methods"].get(method, {}).get("structures", {})
        shown = [_own(own, structure, metric) for structure, metric in columns]
        cells = [f"{a} ({_number(b, m)})" for a, b, (_, m) in zip(shown, numbers, columns, strict=True)]
        rows.append([f"`{method}` ({name})", *cells])
    reasons = protocol_differences(study, dataset)
    verdict = "No:" if reasons else "Yes, as far as the paper tells, but:"
    heads = ["loss: ours (paper)", *(f"{structure} {definition(metric).title}" for structure, metric in columns)]
    return [title, Table(heads, rows), Text(f"Same protocol? {verdict}"), Items([*reasons, *ALWAYS])]


def _own(structures: Mapping[str, Any], structure: str, metric: str) -> str:
    found = {name.lower(): values for name, values in structures.items()}.get(structure.lower(), {})
    return _number(found[metric]["mean"], metric) if metric in found else "-"


def _number(value: float, metric: str) -> str:
    return f"{value:.2f}" if metric == "dice" else f"{value:.1f}"
