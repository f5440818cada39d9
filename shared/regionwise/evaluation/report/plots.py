"""Plots of the report as inline SVG with selectable text."""

import html
import io
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, cast

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from ..measure import Row
from ..metric_info import metric

# Okabe and Ito's colors, which people with any color vision can tell apart.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GRAY = "#555555"
STYLE: Any = {  # Matplotlib types its keys one by one
    "svg.fonttype": "none",
    "svg.hashsalt": "regionwise",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GRAY,
    "axes.titlesize": 9.5,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
}
WIDTH_INCHES = 3.7


def box_plot(rows: Sequence[Row], name: str) -> str:
    """Box plot of a metric: one box per structure, one dot per case.

    A cross marks a value set by the empty-mask policy. Each point links to the case's row in the report.
    """
    held = [row for row in rows if row["status"] != "TN" and row[name] is not None]
    names = list(dict.fromkeys(str(row["structure"]) for row in held))
    with matplotlib.rc_context(STYLE):
        axes = _axes(height=0.9 + 0.42 * len(names))
        for place, structure in enumerate(names):
            own = [row for row in rows if row["structure"] == structure]
            values = [row[name] for row in own]
            lines: dict[str, Any] = {part: {"color": GRAY} for part in ("boxprops", "whiskerprops", "capprops")}
            median = {"color": "black", "linewidth": 1.6}
            axes.boxplot(
                values,
                positions=[place],
                orientation="horizontal",
                widths=0.55,
                showfliers=False,
                medianprops=median,
                **lines,
            )
            _points(axes, own, values, place + _spread(len(own)), COLORS[place % len(COLORS)])
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_title(metric(name).title)
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
        return _svg(axes.figure, f"Box plot of {metric(name).title} by structure")


def dice_by_volume(rows: Sequence[Row], structure: str) -> str:
    """Scatter plot of Dice against the reference volume of one structure."""
    own = [row for row in rows if row["structure"] == structure and row["status"] != "TN"]
    volumes = [row["reference_volume_ml"] for row in own]
    with matplotlib.rc_context(STYLE):
        axes = _axes(height=2.9)
        _points(axes, own, volumes, [row["dice"] for row in own], COLORS[0])
        positive = [volume for volume in volumes if volume > 0]
        if positive and max(positive) > 30 * min(positive):
            # Linear below the smallest volume, so that a structure the reference lacks keeps its place at 0.
            axes.set_xscale("symlog", linthresh=min(positive), linscale=0.3)
        axes.set_ylim(-0.03, 1.03)
        axes.set(xlabel="reference volume (ml)", ylabel="Dice", title=structure)
        axes.grid(color="#dddddd", linewidth=0.6)
        return _svg(axes.figure, f"Dice against reference volume of {structure}")


def bland_altman(rows: Sequence[Row], structure: str) -> str:
    """Bland-Altman plot of one structure: volume error against mean volume, with bias and limits of agreement."""
    own = [row for row in rows if row["structure"] == structure and row["status"] != "TN"]
    errors = np.array([row["volume_error_ml"] for row in own], np.float64)
    means = [(row["volume_ml"] + row["reference_volume_ml"]) / 2 for row in own]
    bias, spread = errors.mean(), errors.std(ddof=1) if len(errors) > 1 else 0.0
    with matplotlib.rc_context(STYLE):
        axes = _axes(height=2.9)
        _points(axes, own, means, errors, COLORS[0])
        axes.axhline(0, color=GRAY, linewidth=0.8)
        axes.axhline(bias, color=COLORS[1], linewidth=1.4)
        for limit in (bias - 1.96 * spread, bias + 1.96 * spread) if spread else ():
            axes.axhline(limit, color=COLORS[1], linewidth=1, linestyle="--")
        axes.set(xlabel="mean of both volumes (ml)", ylabel="prediction - reference (ml)")
        axes.set_title(f"{structure}\nbias {bias:+.2f} ml, limits ±{1.96 * spread:.2f} ml")
        axes.grid(color="#dddddd", linewidth=0.6)
        return _svg(axes.figure, f"Bland-Altman plot of the volume of {structure}")


def reliability_diagram(title: str, pooled: Mapping[str, Any]) -> str:
    """Reliability diagram: observed frequency against stated probability; a dot's area is its share of the voxels."""
    with matplotlib.rc_context(STYLE):
        axes = _axes(height=3.4)
        axes.plot([0, 1], [0, 1], color=GRAY, linewidth=0.8, linestyle="--")
        filled = [index for index, count in enumerate(pooled["count"]) if count]
        x = [pooled["mean_probability"][index] for index in filled]
        y = [pooled["frequency"][index] for index in filled]
        share = np.array([pooled["count"][index] for index in filled]) / sum(pooled["count"])
        axes.plot(x, y, color=COLORS[0], linewidth=1)
        axes.scatter(x, y, s=12 + 150 * share, color=COLORS[0], alpha=0.8)
        axes.set(xlim=(-0.05, 1.05), ylim=(-0.05, 1.05), xlabel="probability", ylabel="frequency")
        axes.set_title(f"{title}\nACE {pooled['ace_pooled']:.3f}, ECE {pooled['ece_pooled']:.4f}, pooled")
        axes.grid(color="#dddddd", linewidth=0.6)
        return _svg(axes.figure, f"Reliability diagram of {title}")


def risk_coverage(trust: Mapping[str, Any]) -> str:
    """Risk-coverage diagram: mean Dice of the accepted cases against their share, the least trusted left out first."""
    dice = np.array([row["dice"] for row in trust["cases"]])[::-1]  # the most trusted first
    share = np.arange(1, len(dice) + 1) / len(dice)
    with matplotlib.rc_context(STYLE):
        axes = _axes(height=2.9)
        axes.axhline(trust["dice_all"], color=GRAY, linewidth=0.8, linestyle="--")
        axes.plot(share, np.cumsum(np.sort(dice)[::-1]) / np.arange(1, len(dice) + 1), color=GRAY, linewidth=0.8)
        axes.plot(share, np.cumsum(dice) / np.arange(1, len(dice) + 1), color=COLORS[0], linewidth=1.6)
        axes.axvline(trust["accepted"], color=COLORS[1], linewidth=1)
        axes.set(xlim=(0, 1.02), xlabel="share of cases accepted", ylabel="mean Dice of the accepted cases")
        axes.set_title(f"{trust['score']}\nAUGRC {trust['augrc']:.4f}, without information {trust['augrc_random']:.4f}")
        axes.grid(color="#dddddd", linewidth=0.6)
        return _svg(axes.figure, "Mean Dice of the accepted cases against their share")


def _points(axes: Axes, rows: Sequence[Row], x: Sequence[float], y: Sequence[float] | np.ndarray, color: str) -> None:
    seen: dict[str, Any] = {"marker": "o", "alpha": 0.55}
    absent: dict[str, Any] = {"marker": "X", "linewidths": 0.3}
    measured = np.array([row["status"] == "TP" for row in rows], bool)
    links = np.array([f"#{anchor(str(row['case']))}" for row in rows])
    for chosen, style in ((measured, seen), (~measured, absent)):
        if chosen.any():
            dots = axes.scatter(
                np.asarray(x)[chosen], np.asarray(y)[chosen], s=22, color=color, edgecolors="white", zorder=3, **style
            )
            dots.set_urls(list(links[chosen]))


def anchor(case: str) -> str:
    """HTML id of a case."""
    return "case-" + re.sub(r"[^A-Za-z0-9_.-]", "_", case)


def _spread(n: int) -> np.ndarray:
    """Return n fixed offsets that keep neighboring cases apart (golden-ratio sequence)."""
    return (np.arange(n) * 0.618034 % 1 - 0.5) * 0.36


def _axes(height: float) -> Axes:
    return Figure(figsize=(WIDTH_INCHES, height), layout="constrained").add_subplot()


def _svg(figure: Figure | SubFigure, description: str) -> str:
    """Return a figure as an SVG element that scales with its column and whose ids are its own in the page."""
    file = io.StringIO()
    cast(Figure, figure).savefig(file, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    prefix = f"f{zlib.crc32(description.encode()):x}-"
    text = re.sub(r'\bid="', f'id="{prefix}', text)
    text = re.sub(r'(xlink:href="#|url\(#)(?!case-)', rf"\g<1>{prefix}", text)
    text = re.sub(r'<svg ([^>]*?)width="[^"]*"', r"<svg \1", text, count=1)
    text = re.sub(r'<svg ([^>]*?)height="[^"]*"', r"<svg \1", text, count=1)
    return text.replace("<svg ", f'<svg role="img" aria-label="{html.escape(description)}" ', 1)
