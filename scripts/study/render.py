"""The parts of a page, and the page as HTML (one file, offline) and as Markdown (figures in files beside it)."""

import base64
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

STYLE = """body { margin: 0 auto; max-width: 72rem; padding: 1rem 1.25rem 4rem; color: #1a1a1a; background: #fff;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; border-bottom: 1px solid #d4d4d4; }
h3 { font-size: 1.05rem; margin-top: 1.5rem; } p, li { max-width: 50rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .65rem; text-align: right; border-bottom: 1px solid #d4d4d4; white-space: nowrap; }
th { background: #f5f5f3; } th:first-child, td:first-child { text-align: left; }
figure { margin: 1rem 0; } figure svg, figure img { max-width: 100%; height: auto; } figcaption { font-size: .9rem; }
pre { background: #f5f5f3; padding: .75rem; overflow-x: auto; font-size: .85rem; }"""


@dataclass(frozen=True)
class Heading:
    """A heading of level 2 or 3."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Items:
    """A list."""

    items: Sequence[str]


@dataclass(frozen=True)
class Table:
    """A table; text in ``**`` is bold."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Code:
    """Commands."""

    text: str


@dataclass(frozen=True)
class Picture:
    """A figure: an SVG as text, or the bytes of a PNG; ``name`` is its file beside the Markdown."""

    name: str
    content: str | bytes
    caption: str


Part = Heading | Text | Items | Table | Code | Picture


def to_markdown(title: str, parts: Sequence[Part]) -> str:
    """Page as Markdown."""
    return "\n\n".join([f"# {title}", *map(_markdown, parts)]) + "\n"


def to_html(title: str, parts: Sequence[Part]) -> str:
    """Page as one HTML file without references to others."""
    head = (
        f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{html.escape(title)}</title>'
        f'<link rel="icon" href="data:,"><style>{STYLE}</style>'
    )
    body = "\n".join([f"<h1>{html.escape(title)}</h1>", *map(_html, parts)])
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>{body}</body></html>\n'


def spans(text: str) -> list[tuple[str, str]]:
    """Pieces of a text, in order: ("strong", what stands between ``**``), ("code", between backticks), or ("", text).

    Examples:
        >>> spans("a **b** `c*d`")
        [('', 'a '), ('strong', 'b'), ('', ' '), ('code', 'c*d')]
    """
    found = []
    for strong, code, plain in re.findall(r"\*\*(.+?)\*\*|`(.+?)`|((?:(?!\*\*.+?\*\*|`.+?`).)+)", text, re.DOTALL):
        found.append(("strong", strong) if strong else ("code", code) if code else ("", plain))
    return found


def _markdown(part: Part) -> str:
    match part:
        case Heading():
            return f"{'#' * part.level} {part.text}"
        case Text():
            return part.text
        case Items():
            return "\n".join(f"- {item}" for item in part.items)
        case Table():
            lines = [part.heads, ["---", *["---:"] * (len(part.heads) - 1)], *part.rows]
            return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
        case Code():
            return f"```\n{part.text}\n```"
        case Picture():
            return f"![{part.caption}](figures/{part.name})\n\n{part.caption}"


def _html(part: Part) -> str:
    match part:
        case Heading():
            return f"<h{part.level}>{html.escape(part.text)}</h{part.level}>"
        case Text():
            return f"<p>{_inline(part.text)}</p>"
        case Items():
            return "<ul>" + "".join(f"<li>{_inline(item)}</li>" for item in part.items) + "</ul>"
        case Table():
            heads = "".join(f"<th>{_inline(cell)}</th>" for cell in part.heads)
            rows = "".join("<tr>" + "".join(f"<td>{_inline(c)}</td>" for c in row) + "</tr>" for row in part.rows)
            return f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
        case Code():
            return f"<pre>{html.escape(part.text)}</pre>"
        case Picture():
            return f"<figure>{_inlined(part)}<figcaption>{_inline(part.caption)}</figcaption></figure>"


def _inline(text: str) -> str:
    pieces = ((kind, html.escape(piece, quote=False)) for kind, piece in spans(text))
    return "".join(f"<{kind}>{piece}</{kind}>" if kind else piece for kind, piece in pieces)


def _inlined(part: Picture) -> str:
    if isinstance(part.content, str):
        return part.content[part.content.index("<svg") :]
    return (
        f'<img alt="{html.escape(part.caption)}" src="data:image/png;base64,{base64.b64encode(part.content).decode()}">'
    )
