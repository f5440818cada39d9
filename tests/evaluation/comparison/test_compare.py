import csv
import json

import pytest
from regionwise.cli import main
from regionwise.errors import InputError
from regionwise.evaluation.comparison.compare import compare

HEAD = ["case", "structure", "status", "dice", "hd_mm", "group"]


def write_run(folder, values, status="TP", structure="LV"):
    """Write a cases.csv with one structure; ``values`` are (dice, hd_mm) by case."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "cases.csv"
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([HEAD] if new else [])
        writer.writerows([case, structure, status, dice, hd, ""] for case, (dice, hd) in values.items())
    return folder


@pytest.fixture
def runs(tmp_path):
    good = {f"case{i}": (0.9 + (i - 5.5) / 1000, 5 + i) for i in range(12)}
    bad = {f"case{i}": (0.7 + (i - 5.5) / 1000, 5 - i / 10) for i in range(12)}
    return write_run(tmp_path / "good", good), write_run(tmp_path / "bad", bad), tmp_path / "out"


def read(out, name="comparison.json"):
    return json.loads((out / name).read_text())


def test_command_line_takes_several_results(runs, capsys):
    good, bad, out = map(str, runs)
    assert main(["compare", "--results", good, bad, "--out", out]) == 0
    assert "| good | **0.900** |" in capsys.readouterr().out
    assert main(["compare", "--results", f"{good},{bad}", "--out", out, "--overwrite"]) == 0


def test_table_and_statistics(runs):
    good, bad, out = runs
    compare([f"rrw={good}", f"ce_1={bad}"], out=out)
    table = (out / "table.md").read_text()
    assert "| rrw | **0.900** | 10.50 |" in table
    # Twelve differences of one sign: 2 of 4096 exchanges, times the two tests of Holm.
    assert r"| ce_1 | 0.700\* | **4.45**\* |" in table
    dice, hd = read(out)["comparisons"]
    assert (dice["structure"], dice["metric"], dice["n"]) == ("LV", "dice", 12)
    assert dice["mean_difference"] == pytest.approx(-0.2)
    assert dice["p_permutation"] == 2 / 4096
    assert dice["p_holm"] == 4 / 4096
    assert hd["mean_difference"] < 0
    assert hd["interval"][0] < hd["mean_difference"] < hd["interval"][1]
    latex = (out / "table.tex").read_text()
    assert r"\multicolumn{2}{c}{LV}" in latex
    assert r"ce\_1 & 0.700$^{*}$ & \textbf{4.45}$^{*}$ \\" in latex
    rows = list(csv.DictReader((out / "statistics.csv").open()))
    assert float(rows[0]["p_permutation"]) == 2 / 4096
    means = list(csv.DictReader((out / "table.csv").open()))
    assert [row["method"] for row in means] == ["rrw", "rrw", "ce_1", "ce_1"]


def test_seeds_are_averaged_per_case(tmp_path):
    for seed, shift in enumerate((-0.1, 0, 0.1)):
        write_run(tmp_path / "a" / f"seed{seed}" / "eval", {f"c{i}": (0.8 + shift + i / 100, 4) for i in range(6)})
    write_run(tmp_path / "b", {f"c{i}": (0.8 + i / 100, 4) for i in range(6)})
    compare([str(tmp_path / "a"), str(tmp_path / "b")], out=tmp_path / "out")
    found = read(tmp_path / "out")
    assert found["methods"]["a"]["seeds"] == 3
    assert found["methods"]["a"]["structures"]["LV"]["dice"]["n"] == 6
    assert found["comparisons"][0]["mean_difference"] == pytest.approx(0)
    assert "| a (3 seeds) |" in (tmp_path / "out" / "table.md").read_text()


def test_a_name_given_twice_is_one_method_with_two_seeds(runs):
    good, bad, out = runs
    compare([f"x={good}", f"x={bad}", f"y={good}"], out=out)
    assert read(out)["methods"]["x"]["seeds"] == 2


def test_inter_rater_row_is_shown_and_not_tested(runs):
    good, bad, out = runs
    compare([str(good), str(bad)], out=out, inter_rater=str(good))
    found = read(out)
    assert {one["method"] for one in found["comparisons"]} == {"bad"}
    assert "| inter-rater | 0.900 |" in (out / "table.md").read_text()


def test_baseline_and_metrics(runs):
    good, bad, out = runs
    compare([str(good), str(bad)], out=out, baseline="bad", metrics="dice")
    assert [(one["method"], one["metric"]) for one in read(out)["comparisons"]] == [("good", "dice")]


def test_identical_results_do_not_differ(runs):
    good, _, out = runs
    compare([f"a={good}", f"b={good}"], out=out)
    for one in read(out)["comparisons"]:
        assert (one["p_permutation"], one["p_wilcoxon"], one["effect_size"]) == (1, 1, None)
    assert r"| b | **0.900** | **10.50** |" in (out / "table.md").read_text()


def test_a_class_that_no_mask_holds_is_not_compared(runs):
    good, bad, out = runs
    for folder in (good, bad):
        write_run(folder, {f"case{i}": (1, 0) for i in range(12)}, status="TN", structure="RV")
    compare([str(good), str(bad)], out=out)
    assert {one["structure"] for one in read(out)["comparisons"]} == {"LV"}
    assert read(out)["notes"] == ["RV is in no reference and in no prediction: n = 0"]


def test_a_missing_case_is_named_and_can_be_left_out(runs):
    good, bad, out = runs
    write_run(good, {"extra": (0.5, 1)})
    with pytest.raises(InputError, match=r"results without a partner: 1;.*--skip_bad.*\n  extra, LV: missing in bad"):
        compare([str(good), str(bad)], out=out)
    assert not out.exists()
    compare([str(good), str(bad)], out=out, skip_bad=True)
    assert read(out)["comparisons"][0]["n"] == 12
    assert read(out)["notes"] == ["left out extra, LV: missing in bad"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"baseline": "godo"}, "no method 'godo'; did you mean 'good'"),
        ({"metrics": "dise"}, "results of good have no 'dise'; did you mean 'dice'"),
        ({"out": None}, "needs --out"),
    ],
)
def test_wrong_options(runs, options, message):
    good, bad, out = runs
    with pytest.raises(InputError, match=message):
        compare([str(good), str(bad)], **{"out": out, **options})


def test_wrong_results(runs, tmp_path):
    good, bad, out = runs
    with pytest.raises(InputError, match="expected the results of two methods or more, got good"):
        compare([str(good)], out=out)
    with pytest.raises(InputError, match=r"expected the results of 'evaluate' \(cases.csv\) in .*nowhere"):
        compare([str(good), str(tmp_path / "nowhere")], out=out)
    with pytest.raises(InputError, match="two results are called 'good'; tell them apart as NAME="):
        compare([str(good), str(good)], out=out)
    write_run(good, {"case0": (0.5, 1)})
    with pytest.raises(InputError, match="holds case 'case0', structure 'LV' twice"):
        compare([str(good), str(bad)], out=out)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "cases.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="no column 'case'"):
        compare([str(bad), str(tmp_path / "other")], out=out)
    (tmp_path / "other" / "cases.csv").write_text("case,class,status,dice\nc,LV,TP,good\n")
    with pytest.raises(InputError, match="expected a number in column 'dice' of row 2"):
        compare([str(bad), str(tmp_path / "other")], out=out)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": 3}, "expected --metrics as names, such as A,B, got 3"),
        ({"metrics": ""}, "expected --metrics as names"),
        ({"permutations": 0}, "expected --permutations as an integer of at least 1, got 0"),
        ({"permutations": -5}, "expected --permutations as an integer of at least 1, got -5"),
        ({"permutations": "x"}, "expected --permutations as an integer"),
        ({"level": 5}, "expected --level between 0 and 1, such as 0.05, got 5"),
        ({"level": "x"}, "expected --level between 0 and 1"),
        ({"seed": -1}, "expected --seed as an integer of at least 0, got -1"),
        ({"seed": "x"}, "expected --seed as an integer"),
    ],
)
def test_invalid_options_raise(runs, options, message):
    good, bad, out = runs
    with pytest.raises(InputError, match=message):
        compare([str(good), str(bad)], out=out, **options)
    assert not out.exists()


def test_invalid_results_and_out_raise(runs, tmp_path):
    good, bad, out = runs
    with pytest.raises(InputError, match="expected --results as names, such as A,B, got 5"):
        compare(5, out=out)
    for nothing in (None, "", " "):
        with pytest.raises(InputError, match="'compare' needs --out, a folder to write to"):
            compare([good, bad], out=nothing)
    with pytest.raises(InputError, match="expected a folder to write to as --out, found a file"):
        compare([good, bad], out=good / "cases.csv")


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_numbers_that_are_not_finite_raise_and_nothing_is_written(runs, value):
    good, bad, out = runs
    write_run(good, {"case12": (value, 3)})
    with pytest.raises(InputError, match=f"expected a finite number in column 'dice' of row 14 of .*, found '{value}'"):
        compare([good, bad], out=out)
    assert not out.exists()


@pytest.mark.parametrize("content", [b"\x00\xff\xfe\x89PNG", b'case,structure,status\n"' + b"x" * 200_000])
def test_a_file_that_is_no_table_raises(runs, content):
    good, bad, out = runs
    (bad / "cases.csv").write_bytes(content)
    with pytest.raises(InputError, match="is no CSV file"):
        compare([good, bad], out=out)


def test_an_earlier_comparison_is_replaced_only_when_told(runs):
    good, bad, out = runs
    compare([good, bad], out=out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(InputError, match=r"table.md is there already; choose another --out, or pass --overwrite"):
        compare([bad, good], out=out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    compare([bad, good], out=out, overwrite=True)
    assert (out / "table.md").read_bytes() != before["table.md"]


def test_tables_of_an_older_version_are_read(runs):
    """Their column of structures was called "class"."""
    good, bad, out = runs
    (bad / "cases.csv").write_text((bad / "cases.csv").read_text().replace("case,structure", "case,class"))
    compare([good, bad], out=out)
    assert {one["structure"] for one in read(out)["comparisons"]} == {"LV"}
