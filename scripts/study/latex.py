"""The page as a LaTeX document that needs nothing but the base packages."""

from collections.abc import Sequence

from render import Code, Heading, Items, Part, Picture, Table, Text, spans

# A wide table is made as wide as the page; the others stay as they are.
PREAMBLE = r"""\documentclass{article}
\usepackage[a4paper,margin=2cm]{geometry}
\usepackage{graphicx}
\setlength{\parindent}{0pt}
\setlength{\parskip}{1ex}
\sloppy
\newsavebox{\tablebox}
\newcommand{\fit}[1]{\sbox{\tablebox}{#1}\ifdim\wd\tablebox>\linewidth
  \resizebox{\linewidth}{!}{\usebox{\tablebox}}\else\usebox{\tablebox}\fi}"""
SECTIONS = {2: "section", 3: "subsection"}
MARKS = {"strong": r"\textbf{%s}", "code": r"\texttt{%s}", "": "%s"}
ESCAPES = str.maketrans({
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''", **{mark: f"\\{mark}" for mark in "&%$#_{}"},
})  # fmt: skip


def to_latex(title: str, parts: Sequence[Part]) -> str:
    """Page as one LaTeX document.

    A figure that LaTeX cannot take (SVG) is a comment that says how to convert it.
    """
    body = [f"\\section*{{{_inline(title)}}}", *map(_latex, parts)]
    return "\n\n".join([PREAMBLE, r"\begin{document}", *body, r"\end{document}"]) + "\n"


def _latex(part: Part) -> str:
    match part:
        case Heading():
            return f"\\{SECTIONS[part.level]}*{{{_inline(part.text)}}}"
        case Text():
            return _inline(part.text)
        case Items():
            return "\n".join([r"\begin{itemize}", *(rf"\item {_inline(one)}" for one in part.items), r"\end{itemize}"])
        case Table():
            return _table(part)
        case Code():
            lines = [rf"{line.translate(ESCAPES)}\par" for line in part.text.splitlines() if line]
            return "\n".join([r"{\ttfamily\footnotesize\raggedright", *lines, "}"])
        case Picture():
            return _picture(part)


def _table(part: Table) -> str:
    lines = [rf"{' & '.join(map(_inline, row))} \\" for row in part.rows]
    heads = rf"{' & '.join(map(_inline, part.heads))} \\"
    columns = f"l{'r' * (len(part.heads) - 1)}"
    return "\n".join([
        r"\fit{%", rf"\begin{{tabular}}{{{columns}}}", r"\hline", heads, r"\hline", *lines, r"\hline",
        r"\end{tabular}}",
    ])  # fmt: skip


def _picture(part: Picture) -> str:
    name, caption = f"figures/{part.name}", _inline(part.caption)
    if part.name.endswith(".svg"):
        pdf = name.removesuffix(".svg") + ".pdf"
        return (
            f"% rsvg-convert -f pdf -o {pdf} {name}, and then:\n% \\includegraphics[width=\\linewidth]{{{pdf}}}\n"
            f"% {caption}"
        )
    return f"\\includegraphics[width=\\linewidth]{{{name}}}\n\n{caption}"


def _inline(text: str) -> str:
    return "".join(MARKS[kind] % piece.translate(ESCAPES) for kind, piece in spans(text))
