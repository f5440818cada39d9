import re
import shutil
import subprocess

import pytest
from latex import to_latex
from render import Code, Heading, Items, Picture, Table, Text, spans, to_html, to_markdown

PARTS = [
    Heading("Losses & seeds"),
    Text("a **b** `c_d` <50 % of #1 ~ {x} ^ \\ 'y' \"z\" $5"),
    Items(["x", "`rrw:annealed`, **no**"]),
    Heading("Means", 3),
    Table(["h", "i_j"], [["1|2", "**3**"], ["-", "4 [3, 5]"]]),
    Table([f"column {number}" for number in range(30)], [["0.123 [0.1, 0.2]"] * 30]),
    Code('python run --loss rrw\n\n--filters "[8, 16]"'),
    Picture("acdc_cdf.svg", "<svg></svg>", "Share of runs, 100 %"),
]


def test_parts_as_markdown_and_html():
    parts = [Text("a **b** `c<d`"), Items(["x"]), Table(["h", "i"], [["1|2", "**3**"]])]
    assert "| 1\\|2 | **3** |" in to_markdown("t", parts)
    shown = to_html("t", parts)
    assert "a <strong>b</strong> <code>c&lt;d</code>" in shown and "<td><strong>3</strong></td>" in shown


def test_marks_without_a_partner_are_text():
    assert spans("2 ** 3 and a ` b") == [("", "2 ** 3 and a ` b")]
    assert spans("") == []


def check_latex(text):
    """Check what makes LaTeX stop: environments, braces, cells of a row, characters with a meaning of their own."""
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    opened = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", body):
        if kind == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert opened == []
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", body):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    for columns, rows in re.findall(r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", body, re.DOTALL):
        lines = [line for line in rows.split("\n") if line.endswith(r" \\")]
        assert len(lines) >= 2
        assert {len(re.findall(r"(?<!\\)&", line)) + 1 for line in lines} == {len(columns)}
    content = body.partition(r"\begin{document}")[2]
    # In rows of tables & is meant, and in the name of a file _ is no subscript.
    prose = re.sub(r"\\begin\{tabular\}.*?\\end\{tabular\}|\\includegraphics[^\n]*", "", content, flags=re.DOTALL)
    assert not re.search(r"(?<!\\)[&$#_^~]|(?<!\\)%(?!$)", prose, re.MULTILINE)
    assert content.isascii()
    assert r"\begin{itemize}" + "\n" + r"\end{itemize}" not in content  # an empty list is an error


def test_latex_is_whole():
    text = to_latex("Study 'a_b'", PARTS)
    check_latex(text)
    assert r"\section*{Losses \& seeds}" in text and r"\subsection*{Means}" in text
    assert r"a \textbf{b} \texttt{c\_d} \textless{}50 \% of \#1 \textasciitilde{} \{x\} \textasciicircum{} " in text
    assert "1\\textbar{}2 & \\textbf{3} \\\\\n- & 4 [3, 5] \\\\" in text
    assert "% \\includegraphics[width=\\linewidth]{figures/acdc_cdf.pdf}\n% Share of runs, 100 \\%" in text


def test_the_check_of_latex_can_fail():
    whole = to_latex("t", PARTS)
    for old, new in ((r"\end{itemize}", ""), (r"\textbf{3}", r"\textbf{3"), (" & 4", " 4"), (r"\&", "&")):
        with pytest.raises((AssertionError, IndexError)):
            check_latex(whole.replace(old, new))


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX")
def test_latex_compiles(tmp_path):
    (tmp_path / "page.tex").write_text(to_latex("Study", PARTS))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
