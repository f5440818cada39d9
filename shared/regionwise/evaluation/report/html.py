"""The report of an evaluation: one HTML file that opens offline, with tables, diagrams and the worst cases."""

from collections.abc import Mapping, Sequence
from typing import Any

import jinja2

from ..cases_csv import metric_names
from ..measure import CaseResult, Row
from ..metric_info import metric
from ..settings import EvaluationSettings
from ..structures import Structure
from . import plots
from .overlays import AGREED, FALSE_NEGATIVE, FALSE_POSITIVE, worst_cases

# Columns of the list of all cases; the others are in cases.csv.
LISTED = ("dice", "hd_mm", "hd95_mm", "assd_mm", "volume_ml", "reference_volume_ml")


def report_html(
    results: Sequence[CaseResult],
    structures: Sequence[Structure],
    settings: EvaluationSettings,
    summary: Mapping[str, Any],
    worst: int = 8,
    error_maps: bool = False,
) -> str:
    """Report of an evaluation as HTML.

    Args:
        results: Results of the cases that could be measured.
        structures: Classes and regions.
        settings: How they were measured.
        summary: Content of summary.json.
        worst: Number of worst cases to show.
        error_maps: Link to the error maps beside the report.
    """
    rows = [row for one in results for row in one.rows]
    shown = [name for name in metric_names(rows) if any(one["metrics"][name] for one in summary["structures"].values())]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("regionwise.evaluation.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "anchor": plots.anchor}
    return environment.get_template("report.html.j2").render(
        summary=summary,
        metric=metric,
        parts={"": summary["structures"], **summary["groups"]},
        main=[name for name in shown if _is_main(name)],
        further=[name for name in shown if not _is_main(name)],
        worst=worst_cases(results, structures, settings, worst),
        colors={"agreed": AGREED, "fp": FALSE_POSITIVE, "fn": FALSE_NEGATIVE},
        diagrams=_diagrams(rows, summary),
        rows=_with_anchors(rows),
        listed=LISTED,
        error_maps=error_maps,
    )


def number(value: float | None, digits: int = 2) -> str:
    """Number with fixed decimals, "-" for a missing value."""
    return "-" if value is None else f"{value:.{digits}f}"


def _with_anchors(rows: Sequence[Row]) -> list[tuple[Row, str]]:
    """Return the rows, lowest Dice first, with an HTML id for the first one of each case and "" for the others."""
    ordered = sorted(rows, key=lambda row: (row["dice"], -row["hd_mm"], row["case"], row["structure"]))
    first = {row["case"]: index for index, row in reversed(list(enumerate(ordered)))}
    return [
        (row, plots.anchor(row["case"]) if first[row["case"]] == index else "") for index, row in enumerate(ordered)
    ]


def _is_main(name: str) -> bool:
    """Return whether a metric is one of the first table and has a box plot."""
    return name in ("dice", "hd_mm", "hd95_mm", "assd_mm") or name.startswith("nsd_")


def _diagrams(rows: Sequence[Row], summary: Mapping[str, Any]) -> list[tuple[str, str, list[str]]]:
    """Return the sections of diagrams: title, how to read them, and the SVGs."""
    present = [name for name, one in summary["structures"].items() if one["n"]]
    boxes = [name for name in metric_names(rows) if _is_main(name)]
    sections = []
    if present:
        how = "A dot is a case, a cross one whose value the empty-mask policy gave; both link to the case's row below."
        sections = [
            ("Spread over cases", how, [plots.box_plot(rows, name) for name in boxes]),
            ("Dice by size", "Are small structures worse?", [plots.dice_by_volume(rows, name) for name in present]),
            (
                "Volume agreement (Bland-Altman)",
                "Orange: mean error, and the limits within which 95 % of errors lie if they are normally distributed.",
                [plots.bland_altman(rows, name) for name in present],
            ),
        ]
    if summary["calibration"]:
        pooled = {"likeliest class": summary["calibration"]["top_label"], **summary["calibration"]["structures"]}
        how = "On the dashed line probabilities mean what they say; below it the model is too sure."
        sections.append(("Calibration", how, [plots.reliability_diagram(*item) for item in pooled.items()]))
    if summary["trust"]:
        how = (
            "Blue: the cases are accepted in the order of the trust score; gray: in the order of their Dice, the best "
            "possible; dashed: in an order that says nothing. Orange: the cases right of it are sent to a human."
        )
        sections.append(("Which cases to send to a human", how, [plots.risk_coverage(summary["trust"])]))
    return sections
