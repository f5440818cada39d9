"""The report as a file: self-contained, its links and pictures in place, and in a browser where there is one."""

import base64
import io
import re
import shutil
import subprocess
from html.parser import HTMLParser
from urllib.parse import unquote

import numpy as np
import pytest
from matplotlib.image import imread
from regionwise.evaluation.evaluate import evaluate

from ..volumes import cube, write, write_pairs

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    root = tmp_path_factory.mktemp("report")
    empty = np.zeros((12, 12, 12), np.uint8)
    pairs = {f"case <{i}> & co": (cube(1 + i), cube(2)) for i in range(5)}
    folders = write_pairs(root, {**pairs, "missed": (empty, cube(2)), "perfect": (cube(2), cube(2))})
    for name in (*pairs, "missed"):
        write(root / "scans", name, np.random.default_rng(0).normal(size=(12, 12, 12)).astype(np.float32))
        p = np.full((12, 12, 12, 2), 0.5, np.float32)
        write(root / "probabilities", name, p)
    write(root / "probabilities", "perfect", p)
    evaluate(
        *folders, root / "out", classes="<LV>", workers=1, images=root / "scans", error_maps=True,
        probabilities=root / "probabilities",
    )  # fmt: skip
    return root / "out" / "report.html"


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links, self.sources = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [attributes[key] for key in ("href", "xlink:href") if key in attributes]
        self.sources += [attributes["src"]] if "src" in attributes else []


def test_every_link_leads_somewhere(report):
    page = Page(report.read_text())
    assert len(page.links) > 30
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids, link
        elif link != "data:,":
            assert (report.parent / unquote(link)).is_file(), link
    assert len(page.ids) == len(set(page.ids))


def test_nothing_is_loaded_from_elsewhere(report):
    text = report.read_text()
    page = Page(text)
    assert "script" not in page.tags
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert set(re.findall(r"https?://[^\s\"'<>]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_names_are_escaped(report):
    text = report.read_text()
    assert "case <0>" not in text
    assert "case &lt;0&gt; &amp; co" in text
    assert "<LV>" not in text


def test_worst_cases_come_first_and_perfect_ones_are_no_worst_cases(report):
    text = report.read_text()
    section = text[text.index('id="worst"') : text.index('id="diagrams"')]
    titles = re.findall(r"<h3><a href=\"#[^\"]*\">([^<]*)</a>", section)
    assert titles[0] == "missed"
    assert "perfect" not in titles
    assert section.count("<figure>") == 3 * len(titles)
    assert "Missed." in section


def test_pictures_show_false_positives_and_negatives_in_their_colors(report):
    text = report.read_text()
    case = text[text.index("case &lt;0&gt; &amp; co</a>: ") :]
    png = re.search(r"base64,([^\"]+)", case).group(1)
    rgb = imread(io.BytesIO(base64.b64decode(png)))[..., :3] * 255
    colors = {(230, 159, 0): 0, (86, 180, 233): 0, (0, 158, 115): 0}
    for color in colors:
        colors[color] = int((np.abs(rgb - color).sum(axis=-1) < 180).sum())
    assert all(count > 50 for count in colors.values())


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH; the report is then only checked as a file")
@pytest.mark.parametrize(("width", "height"), [(1200, 900), (390, 844)])
def test_in_a_browser(report, tmp_path, width, height):
    """A headless Chromium draws the page without a console message, and no wider than the window."""
    probe = tmp_path / "report.html"
    # The page itself has no script; this one writes down what only a browser knows.
    script = """<script>addEventListener('load', () => {
      const pictures = [...document.images], page = document.documentElement;
      page.dataset.seen = [pictures.length, pictures.filter(one => !one.naturalWidth).length,
        document.querySelectorAll('svg').length, page.scrollWidth - innerWidth].join(' ') })</script></body>"""
    probe.write_text(report.read_text().replace("</body>", script))
    done = subprocess.run(
        [
            CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom",
            f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},{height}", probe.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    images, broken, drawings, overhang = map(int, re.search(r'data-seen="([^"]+)"', done.stdout).group(1).split())
    assert images >= 15 and broken == 0 and drawings >= 8
    assert overhang <= 0
    assert "CONSOLE" not in done.stderr
