"""Figures of a study: validation curves, distribution of final Dice, paired differences, ranks."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from regionwise.evaluation.metric_info import metric as definition
from regionwise.evaluation.report.plots import COLORS, GRAY
from svg import as_svg

Rows = Sequence[Mapping[str, str]]


def validation_curves(rows: Rows, methods: Sequence[str]) -> str:
    """Mean Dice of the validation cases by epoch: the mean over seeds, and a band from the lowest to the highest."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for color, method in zip(COLORS, methods, strict=False):
            curves: dict[int, list[float]] = {}
            for row in rows:
                if row["method"] == method:
                    curves.setdefault(int(row["epoch"]), []).append(float(row["dice"]))
            epochs = sorted(curves)
            low, mean, high = ([f(curves[epoch]) for epoch in epochs] for f in (min, np.mean, max))
            axes.plot(epochs, mean, color=color, label=method, marker=".")
            axes.fill_between(epochs, low, high, color=color, alpha=0.15, linewidth=0)
        axes.set(xlabel="epoch", ylabel="mean validation Dice", ylim=(-0.02, 1))
        axes.legend(frameon=False, fontsize=8)

    return as_svg(draw, (6, 3.6), "Validation curves")


def final_dice(rows: Rows, methods: Sequence[str]) -> str:
    """CDF of the final Dice of the runs: share of runs whose mean Dice is at most x (Eq. 8 of the paper)."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for color, method in zip(COLORS, methods, strict=False):
            runs: dict[str, list[float]] = {}
            for row in rows:
                if row["method"] == method:
                    runs.setdefault(row["seed"], []).append(float(row["dice"]))
            finals = sorted(float(np.mean(one)) for one in runs.values())
            shares = np.arange(len(finals) + 1) / len(finals)
            axes.step([0, *finals, 1], [*shares, 1], where="post", color=color, label=method)
        axes.set(xlabel="final mean Dice of a run", ylabel="share of runs at or below", xlim=(0, 1), ylim=(0, 1.02))
        axes.legend(frameon=False, fontsize=8)

    return as_svg(draw, (6, 3.2), "Distribution of the final Dice")


def paired_differences(rows: Rows, methods: Sequence[str], baseline: str, metric: str) -> str:
    """Dot plot of the difference from the baseline, one dot per case and structure, seeds averaged."""
    structures = list(dict.fromkeys(row["structure"] for row in rows))
    others = [method for method in methods if method != baseline]

    columns = min(len(structures), 3)
    lines = -(-len(structures) // columns)

    def draw(figure: Figure) -> None:
        panels = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True).ravel()
        for axes in panels[len(structures) :]:
            axes.set_axis_off()
        for axes, structure in zip(panels, structures, strict=False):
            means = {method: _case_means(rows, method, structure, metric) for method in methods}
            for place, method in enumerate(others):
                shared = [case for case in means[baseline] if case in means[method]]
                d = np.array([means[method][case] - means[baseline][case] for case in shared])
                spread = (np.arange(len(d)) * 0.618034 % 1 - 0.5) * 0.5
                color = COLORS[methods.index(method) % len(COLORS)]
                axes.scatter(d, place + spread, s=10, color=color, alpha=0.5, linewidths=0)
                axes.plot([d.mean()] * 2, [place - 0.35, place + 0.35], color="black", linewidth=1.5)
            axes.axvline(0, color=GRAY, linewidth=0.8)
            axes.set_yticks(range(len(others)), others)
            axes.set_ylim(len(others) - 0.4, -0.6)
            axes.set(title=structure, xlabel=f"{definition(metric).title} minus that of {baseline}")

    return as_svg(draw, (2 + 3 * columns, lines * (1 + 0.45 * len(others))), f"Paired differences of {metric}")


def rank_shares(ranking: Sequence[Mapping[str, Any]], methods: Sequence[str]) -> str:
    """Rank distributions over bootstrap samples of the patients: a blob's area is the share of samples.

    A column per structure, a line per order of aggregation.
    """
    orders = list(dict.fromkeys(one["order"] for one in ranking))
    structures = list(dict.fromkeys(one["structure"] for one in ranking))

    def draw(figure: Figure) -> None:
        panels = figure.subplots(len(orders), len(structures), squeeze=False, sharex=True, sharey=True)
        for one in ranking:
            axes = panels[orders.index(one["order"]), structures.index(one["structure"])]
            for x, method in enumerate(methods):
                shares = one["shares"].get(method, [])
                axes.scatter(
                    [x] * len(shares), range(1, len(shares) + 1), s=260 * np.array(shares),
                    color=COLORS[x % len(COLORS)], alpha=0.7, linewidths=0,
                )  # fmt: skip
            axes.set_xticks(range(len(methods)), methods, rotation=60, ha="right")
            # A blob of all samples has a radius of 8 points: more than a third of a step.
            axes.set(xlim=(-0.8, len(methods) - 0.2), ylim=(len(methods) + 0.8, 0.2), yticks=range(1, len(methods) + 1))
            axes.set(title=f"{one['structure']}\n{one['order'].replace('_', ' ')}, tau {one['tau']:.2f}")
        for axes in panels[:, 0]:
            axes.set_ylabel("rank")

    height = 1 + len(orders) * (0.6 + 0.28 * len(methods))
    return as_svg(draw, (1 + 2.1 * len(structures), height), "Rank stability")


def _case_means(rows: Rows, method: str, structure: str, metric: str) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for row in rows:
        if row["method"] == method and row["structure"] == structure and row[metric]:
            values.setdefault(row["case"], []).append(float(row[metric]))
    return {case: float(np.mean(own)) for case, own in values.items()}
