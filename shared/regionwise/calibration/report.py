"""The report of a calibration: one HTML page with reliability diagrams and scores before and after, and margins."""

from collections.abc import Mapping
from typing import Any

import jinja2

from ..evaluation.report.html import number
from ..evaluation.report.plots import reliability_diagram
from ..evaluation.summary import pooled_bins
from ..metrics import ReliabilityBins
from .record import describe_scaling


def calibration_html(record: Mapping[str, Any], bins: Mapping[str, Mapping[str, ReliabilityBins]]) -> str:
    """Report of a calibration as HTML.

    Args:
        record: Content of calibration.json.
        bins: "before" and "after" to structure to the reliability bins of all cases.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("regionwise.calibration", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    diagrams = [
        reliability_diagram(f"{structure}, {way}", pooled_bins([own]))
        for structure in bins["before"]
        for way, own in ((way, bins[way][structure]) for way in ("before", "after"))
    ]
    return environment.get_template("calibration.html.j2").render(
        record=record, scaling=describe_scaling(record["scaling"]), diagrams=diagrams
    )
