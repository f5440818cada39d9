"""A Matplotlib figure as SVG text."""

import io
import re
import zlib
from collections.abc import Callable

import matplotlib
from matplotlib.figure import Figure
from regionwise.evaluation.report.plots import STYLE


def as_svg(draw: Callable[[Figure], None], size: tuple[float, float], description: str) -> str:
    """Return a figure as SVG that is the same for the same data, with ids of its own in a page.

    Args:
        draw: Function that draws on a figure.
        size: Width and height in inches.
        description: Distinguishes the ids of figures with the same content.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    prefix = f"g{zlib.crc32(description.encode() + file.getvalue().encode()):x}-"
    text = re.sub(r"<metadata>.*?</metadata>", "", file.getvalue(), flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{prefix}', text)
    return re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{prefix}", text)
