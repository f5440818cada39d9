"""The trust score of an evaluation: what it finds, the cases it sends to a human, and tables that are none."""

import csv
import json

import numpy as np
import pytest
from regionwise.errors import InputError
from regionwise.evaluation.evaluate import evaluate

from .volumes import cube, write, write_pairs

N = 20


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Return predictions and references of 20 cases, the first two moved away from their reference."""
    root = tmp_path_factory.mktemp("trust")
    pairs = {f"case{i:02}": (cube(2 + 2 * (i < 2)), cube(2)) for i in range(N)}
    for i, (name, (prediction, _)) in enumerate(pairs.items()):
        p = np.where(prediction > 0, 0.5 if i < 2 else 0.9, 0.01)
        write(root / "probabilities", name, np.stack([1 - p, p], axis=-1).astype(np.float32))
    return write_pairs(root, pairs)


def table(folder, scores):
    path = folder / "uncertainty.csv"
    path.write_text("case,trust,trust_score\n" + "".join(f"{name},{score},a score\n" for name, score in scores.items()))
    return path


def summary_of(out):
    return json.loads((out / "summary.json").read_text())["trust"]


def test_the_confidence_of_the_probabilities_finds_the_cases_that_went_wrong(folders, tmp_path):
    evaluate(*folders, tmp_path / "out", probabilities=folders[0].parent / "probabilities", workers=1)
    found = summary_of(tmp_path / "out")
    assert found["score"] == "soft Dice confidence"
    assert (found["dice_all"], found["dice_accepted"]) == (pytest.approx(0.95), 1)
    assert found["augrc"] == pytest.approx(found["augrc_best"])
    assert found["augrc_random"] == pytest.approx(0.025)
    assert found["spearman"] == pytest.approx(1)
    rows = list(csv.DictReader((tmp_path / "out" / "review.csv").open()))
    assert [row["case"] for row in rows if row["review"] == "yes"] == ["case00", "case01"]
    assert len(rows) == N
    report = (tmp_path / "out" / "report.html").read_text()
    assert "At 90 % coverage 2 of 20 cases go to a human; mean Dice 0.950 of all, 1.000 of those accepted" in report


def test_the_scores_of_a_table_count_before_the_probabilities(folders, tmp_path):
    scores = {f"case{i:02}": -i for i in range(N)} | {"another": 3}
    evaluate(
        *folders, tmp_path / "out", probabilities=folders[0].parent / "probabilities", workers=1,
        uncertainty=table(tmp_path, scores),
    )  # fmt: skip
    found = summary_of(tmp_path / "out")
    assert found["score"] == "a score"
    assert [row["case"] for row in found["cases"] if row["review"] == "yes"] == ["case19", "case18"]
    assert found["augrc"] > found["augrc_random"]
    assert found["spearman"] < 0


def test_a_score_that_says_nothing_sends_nobody(folders, tmp_path):
    evaluate(*folders, tmp_path / "out", workers=1, uncertainty=table(tmp_path, {f"case{i:02}": 1 for i in range(N)}))
    found = summary_of(tmp_path / "out")
    assert found["augrc"] == pytest.approx(found["augrc_random"])
    assert found["spearman"] is None
    assert {row["review"] for row in found["cases"]} == {"no"}


def test_without_a_score_there_is_no_review(folders, tmp_path):
    evaluate(*folders, tmp_path / "out", workers=1)
    assert summary_of(tmp_path / "out") is None
    assert not (tmp_path / "out" / "review.csv").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("case,dice\ncase00,1\n", "expected the columns case and trust in .*uncertainty.csv"),
        ("case,trust\ncase00,high\n", "expected a number per case in the column trust of .*uncertainty.csv"),
        ("case,trust\ncase00,nan\n", "expected a number per case in the column trust of .*found 'nan'"),
        ("case,trust\ncase00\n", "expected a number per case in the column trust of .*found None"),
        ("case,trust\n\udcff\udcfe", "uncertainty.csv is not a table in UTF-8"),
        ("case,trust\ncase00,1\n", "has no row for 19 of 20 cases, first 'case01'"),
    ],
)
def test_tables_that_are_none(folders, tmp_path, text, message):
    (tmp_path / "uncertainty.csv").write_text(text, errors="surrogateescape")
    with pytest.raises(InputError, match=message):
        evaluate(*folders, tmp_path / "out", workers=1, uncertainty=tmp_path / "uncertainty.csv")
    with pytest.raises(InputError, match=r"expected the table of 'predict --uncertainty' at .*, not found"):
        evaluate(*folders, tmp_path / "out", workers=1, uncertainty=tmp_path / "none.csv")
