"""A comparison as tables: Markdown, LaTeX and CSV, in the style of the paper's Tables 2-4."""

from collections.abc import Mapping
from typing import Any

from ..cases_csv import csv_text
from ..metric_info import metric as definition

Comparison = Mapping[str, Any]


def markdown(comparison: Comparison) -> str:
    """Means as a Markdown table; bold is best, * marks a supported difference from the baseline."""
    columns = _columns(comparison)
    heads = ["", *(f"{structure} {comparison['metrics'][metric]}" for structure, metric in columns)]
    lines = [heads, ["---", *["---:"] * len(columns)]]
    for method in comparison["methods"]:
        lines.append([_label(comparison, method), *_cells(comparison, method, "**{}**", r"\*")])
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return f"{table}\n\n{_caption(comparison)}\n"


def latex(comparison: Comparison) -> str:
    """Means as a LaTeX tabular, structures over their metrics."""
    columns, metrics = _columns(comparison), len(comparison["metrics"])
    structures = list(dict.fromkeys(structure for structure, _ in columns))
    over = " & ".join(rf"\multicolumn{{{metrics}}}{{c}}{{{_escape(one)}}}" for one in structures)
    under = " & ".join(_escape(comparison["metrics"][metric]) for _, metric in columns)
    lines = [rf"\begin{{tabular}}{{l{'r' * len(columns)}}}", r"\hline", rf" & {over} \\", rf" & {under} \\", r"\hline"]
    for method in comparison["methods"]:
        cells = _cells(comparison, method, r"\textbf{{{}}}", "$^{*}$")
        lines.append(rf"{_escape(_label(comparison, method))} & {' & '.join(cells)} \\")
    caption = "\n".join(f"% {line}" for line in _caption(comparison).splitlines())
    return "\n".join([*lines, r"\hline", r"\end{tabular}", caption]) + "\n"


def means_csv(comparison: Comparison) -> str:
    """Mean, standard deviation and interval of every method, structure and metric as CSV."""
    keys = ["n", "patients", "mean", "sd"]
    heads = ["method", "seeds", "structure", "metric", *keys, "interval_low", "interval_high"]
    rows = [
        [
            method,
            one["seeds"],
            structure,
            metric,
            *(cell[key] for key in ("n", "patients", "mean", "sd")),
            *_bounds(cell),
        ]
        for method, one in comparison["methods"].items()
        for structure, metrics in one["structures"].items()
        for metric, cell in metrics.items()
    ]
    return csv_text(heads, rows)


def statistics_csv(comparison: Comparison) -> str:
    """Every comparison with the baseline as CSV."""
    keys = ["method", "baseline", "structure", "metric", "n", "patients", "mean_difference"]
    tests = ["p_permutation", "p_holm", *(["p_max_t"] if comparison["correction"] == "max_t" else []), "p_wilcoxon"]
    tests += ["effect_size", "significant", "margin", "p_equivalence", "false_claim_probability", "claim"]
    rows = [
        [*(one[key] for key in keys), *_bounds(one), *(one[key] for key in tests)] for one in comparison["comparisons"]
    ]
    return csv_text([*keys, "interval_low", "interval_high", *tests], rows)


def ranks_csv(comparison: Comparison) -> str:
    """Rank of every method in both aggregation orders, and its distribution over bootstrap samples, as CSV."""
    places = range(1, 1 + max((len(one["ranks"]) for one in comparison["ranking"]), default=0))
    heads = ["method", "rank", *(f"share_rank_{place}" for place in places)]
    where = ("structure", "metric", "order")
    rows = [
        [*(one[key] for key in where), method, rank, *one["shares"][method], one["tau"], one["tau_low"]]
        for one in comparison["ranking"]
        for method, rank in one["ranks"].items()
    ]
    return csv_text([*where, *heads, "tau", "tau_low"], rows)


def variance_csv(comparison: Comparison) -> str:
    """Standard deviations between patients, between seeds, and of the rest, of every method as CSV."""
    heads = ["structure", "metric", "method", "patient", "seed", "rest"]
    return csv_text(heads, [[one[key] for key in heads] for one in comparison["variance"]])


def claims_text(comparison: Comparison) -> str:
    """One line per comparison: the difference with its interval, and what may be claimed."""
    lines = []
    for one in comparison["comparisons"]:
        info = definition(one["metric"])
        low, high = one["interval"] or (None, None)
        interval = "" if low is None else f" [{low:+.{info.digits}f}, {high:+.{info.digits}f}]"
        difference = f"{one['mean_difference']:+.{info.digits}f}{interval}"
        lines.append(
            f"{one['method']} - {one['baseline']}, {one['structure']} {info.title}: {difference}: {one['claim']}"
        )
    return "\n".join([*lines, *_detectable(comparison)])


def _detectable(comparison: Comparison) -> list[str]:
    return [
        f"With {one['seeds']} seed{'s' if one['seeds'] > 1 else ''} x {one['patients']} patients, differences of "
        f"{one['difference']:.{definition(one['metric']).digits}f} in {one['structure']} "
        f"{definition(one['metric']).title} are found with a power of {one['power']:.0%}."
        for one in comparison["detectable"]
    ]


def _bounds(one: Mapping[str, Any]) -> tuple[float | None, float | None]:
    return one["interval"] or (None, None)


def _columns(comparison: Comparison) -> list[tuple[str, str]]:
    described = comparison["methods"][comparison["baseline"]]["structures"]
    return [(structure, metric) for structure in described for metric in described[structure]]


def _cells(comparison: Comparison, method: str, bold: str, mark: str) -> list[str]:
    different = {
        (one["structure"], one["metric"])
        for one in comparison["comparisons"]
        if one["method"] == method and one["claim"].startswith("supported")
    }
    cells = []
    for structure, metric in _columns(comparison):
        text = _mean(comparison, method, structure, metric)
        if method != "inter-rater" and text == _best(comparison, structure, metric):
            text = bold.format(text)
        cells.append(text + mark * ((structure, metric) in different))
    return cells


def _mean(comparison: Comparison, method: str, structure: str, metric: str) -> str:
    mean = comparison["methods"][method]["structures"][structure][metric]["mean"]
    return f"{mean:.{definition(metric).digits}f}"


def _best(comparison: Comparison, structure: str, metric: str) -> str | None:
    """Return the best mean as it is printed (so that a tie in print is a tie), None where neither way is better."""
    higher = definition(metric).higher_is_better
    if higher is None:
        return None
    means = [_mean(comparison, name, structure, metric) for name in comparison["methods"] if name != "inter-rater"]
    return (max if higher else min)(means, key=float)


def _label(comparison: Comparison, method: str) -> str:
    seeds = comparison["methods"][method]["seeds"]
    return f"{method} ({seeds} seeds)" if seeds > 1 else method


def _caption(comparison: Comparison) -> str:
    rows = [row for one in comparison["methods"].values() for row in one["structures"].values()]
    described = [cell for row in rows for cell in row.values()]
    patients, cases = (_range({cell[key] for cell in described}) for key in ("patients", "n"))
    over = f"{patients} patients" + ("" if patients == cases else f" ({cases} cases)")
    corrections = {"holm": "Holm", "max_t": "maxT"}
    lines = [
        f"Means over {over}. Bold: best. *: the difference from {comparison['baseline']} is supported (permutation "
        f"test over patients with |mean difference|, {corrections[comparison['correction']]} over metrics x "
        f"structures, p < {comparison['level']:g}, false-claim probability < 5 %).",
        f"Patients: {comparison['patients']['source']}.",
        *comparison["notes"],
    ]
    return "\n".join(lines)


def _range(numbers: set[int]) -> str:
    return f"{min(numbers)}" if len(numbers) == 1 else f"{min(numbers)} to {max(numbers)}"


def _escape(text: str) -> str:
    for character in "&%$#_{}":
        text = text.replace(character, "\\" + character)
    return text
