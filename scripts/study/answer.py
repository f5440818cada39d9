"""What a comparison says to the paper's claim, and its tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from regionwise.evaluation.metric_info import metric as definition
from render import Heading, Items, Part, Table, Text

PATIENTS = {
    "acdc": "The two frames of a patient count as one.",
    "hippocampus": "Every scan counts as a patient: the set does not say which two are the sides of one person.",
}


def answer(comparison: Mapping[str, Any]) -> list[Part]:
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
        Items([_detectable(one) for one in comparison["detectable"] if one["metric"] == "dice"]),
    ]  # fmt: skip


def _detectable(one: Mapping[str, Any]) -> str:
    start = f"Seeds: {one['seeds']}, patients: {one['patients']}."
    if one["difference"] >= 1:
        return f"{start} Too few to find any difference in the Dice of {one['structure']}."
    return (
        f"{start} Differences of {one['difference']:.3f} in the Dice of {one['structure']} are found with a power of "
        f"{one['power']:.0%}."
    )


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


def comparison_tables(dataset: str, comparison: Mapping[str, Any]) -> list[Part]:
    """Means of every loss, and its differences from the baseline, with intervals."""
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
