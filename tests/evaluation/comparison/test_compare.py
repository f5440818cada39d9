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
    ranks = [row for row in csv.DictReader((out / "ranks.csv").open()) if row["order"] == "rank_then_mean"]
    assert [(row["metric"], row["method"], float(row["rank"])) for row in ranks] == [
        ("dice", "rrw", 1), ("dice", "ce_1", 2), ("hd_mm", "rrw", 2), ("hd_mm", "ce_1", 1),
    ]  # fmt: skip
    variance = list(csv.DictReader((out / "variance.csv").open()))
    assert float(variance[0]["patient"]) == pytest.approx(0.0036056, rel=1e-4) and variance[0]["seed"] == ""
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
        ({"baseline": "godo"}, "Unknown method 'godo'; did you mean 'good'"),
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
        ({"correction": "bonferoni"}, "Unknown correction 'bonferoni'"),
        ({"margins": {"dice": 0}}, "expected --margins as .metric: number > 0., got"),
        ({"margins": "dice"}, "expected --margins as"),
        ({"margins": {"dise": 0.1}}, "--margins names 'dise', which is not compared; did you mean 'dice'"),
        ({"metrics": "dice,hd_mm,dice"}, "expected each of --metrics once, got 'dice' twice"),
        ({"rename": {"no such": "x"}}, "--rename names 'no such', no structure; "),
        ({"groups": "nowhere.csv"}, "expected a CSV file with the columns case and patient as --groups, not found"),
        ({"rename": 3}, "expected --rename as .old: new., got 3"),
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


def frames(folder, dice, patients=10, naming="patient{:03d}_frame{:02d}"):
    """Write two frames per patient; ``dice`` gives the value of a patient and frame."""
    values = {naming.format(p, f): (dice(p, f), 4) for p in range(1, patients + 1) for f in (1, 2)}
    return write_run(folder, values)


def test_the_patient_is_the_unit(tmp_path, capsys):
    good = frames(tmp_path / "good", lambda p, f: 0.9 + p / 1000 + f / 100)
    bad = frames(tmp_path / "bad", lambda p, f: 0.8795 + p / 500 + f / 100)
    compare([good, bad], out=tmp_path / "out", metrics="dice")
    found = read(tmp_path / "out")
    (one,) = found["comparisons"]
    assert (one["n"], one["patients"]) == (20, 10)
    assert found["patients"] == {"n": 10, "source": "from the names of the cases"}
    assert one["p_permutation"] == 2 / 2**10
    assert one["claim"] == "supported: worse"
    assert "Means over 10 patients (20 cases)." in (tmp_path / "out" / "table.md").read_text()
    claim, detectable = capsys.readouterr().out.splitlines()[-2:]
    assert claim.startswith("bad - good, LV Dice: -0.015 [-0.01") and claim.endswith("]: supported: worse")
    assert detectable == "With 1 seed x 10 patients, differences of 0.003 in LV Dice are found with a power of 80%."


def test_groups_come_from_a_file_or_a_column(tmp_path):
    naming = "scan{}{}"
    good = frames(tmp_path / "good", lambda p, f: 0.9 + p / 1000, naming=naming)
    bad = frames(tmp_path / "bad", lambda p, f: 0.89 - p / 1000, naming=naming)
    compare([good, bad], out=tmp_path / "cases", metrics="dice")
    assert read(tmp_path / "cases")["patients"]["n"] == 20
    assert "if that is wrong, pass --groups" in (tmp_path / "cases" / "table.md").read_text()
    rows = "".join(f"scan{p}{f},p{p}\n" for p in range(1, 11) for f in (1, 2))
    (tmp_path / "groups.csv").write_text("case,patient\n" + rows)
    compare([good, bad], out=tmp_path / "file", metrics="dice", groups=str(tmp_path / "groups.csv"))
    assert read(tmp_path / "file")["patients"] == {"n": 10, "source": "from --groups"}
    for folder in (good, bad):
        lines = (folder / "cases.csv").read_text().splitlines()
        told = [f"{line},{'patient' if i == 0 else 'p' + line.split(',')[0][4:-1]}" for i, line in enumerate(lines)]
        (folder / "cases.csv").write_text("\n".join(told) + "\n")
    compare([good, bad], out=tmp_path / "column", metrics="dice")
    assert read(tmp_path / "column")["patients"] == {"n": 10, "source": "from the column patient"}
    assert read(tmp_path / "column")["comparisons"] == read(tmp_path / "file")["comparisons"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"case,subject\n1,2\n", "expected the columns case and patient"),
        (b"case,patient\ncase0,a\ncase0,b\n", "names two patients for case 'case0': a and b"),
        (b"case,patient\ncase0,\n", "row 2 of .* lacks a case or a patient"),
        (b"case,patient\ncase0,a\n", "the --groups file names no patient for case 'case1' and 10 more"),
        (b"\xff\xfe\x00", "is no CSV file"),
    ],
)
def test_invalid_groups_raise(runs, tmp_path, content, message):
    good, bad, out = runs
    (tmp_path / "groups.csv").write_bytes(content)
    with pytest.raises(InputError, match=message):
        compare([good, bad], out=out, groups=str(tmp_path / "groups.csv"))
    assert not out.exists()


def test_claims(tmp_path):
    base = write_run(tmp_path / "base", {f"c{i}": (0.8 + i / 100, 5) for i in range(12)})
    same = write_run(tmp_path / "same", {f"c{i}": (0.8 + i / 100 + (-1) ** i / 1000, 5) for i in range(12)})
    wild = write_run(tmp_path / "wild", {f"c{i}": (0.8 + i / 100 + (-1) ** i / 10, 5) for i in range(12)})
    small = write_run(tmp_path / "small", {f"c{i}": (0.801 + i / 100, 3) for i in range(12)})
    compare([base, same, wild, small], out=tmp_path / "out")
    claims = {(one["method"], one["metric"]): one["claim"] for one in read(tmp_path / "out")["comparisons"]}
    assert claims["same", "dice"] == "equivalent within 0.01"
    assert claims["wild", "dice"] == "not supported"
    assert claims["small", "dice"] == "supported: better; equivalent within 0.01"
    assert claims["small", "hd_mm"] == "supported: better"
    assert claims["same", "hd_mm"] == "not supported"  # no margin of distances is known
    compare([base, same], out=tmp_path / "mm", margins={"hd_mm": 1})
    assert read(tmp_path / "mm")["comparisons"][1]["claim"] == "equivalent within 1"


def test_max_t_as_the_correction(tmp_path, runs):
    good, bad, out = runs
    compare([good, bad], out=out, correction="max_t")
    found = read(out)
    # The HD of one case does not differ, so that each of its exchanges counts twice.
    assert [one["p_permutation"] for one in found["comparisons"]] == [2 / 4096, 4 / 4096]
    assert [one["p_max_t"] for one in found["comparisons"]] == [2 / 4096, 4 / 4096]
    assert [one["p_holm"] for one in found["comparisons"]] == [4 / 4096] * 2
    assert "maxT over metrics x structures" in (out / "table.md").read_text()
    assert "p_max_t" in (out / "statistics.csv").read_text().splitlines()[0]


def test_few_patients_support_nothing(tmp_path):
    good = write_run(tmp_path / "good", {f"c{i}": (0.9 + i / 100, 1) for i in range(4)})
    bad = write_run(tmp_path / "bad", {f"c{i}": (0.5, 9) for i in range(4)})
    compare([good, bad], out=tmp_path / "out")
    assert {one["claim"] for one in read(tmp_path / "out")["comparisons"]} == {"not supported"}
    one = write_run(tmp_path / "one", {"c": (0.9, 1)}), write_run(tmp_path / "two", {"c": (0.5, 9)})
    compare(list(one), out=tmp_path / "single")
    assert read(tmp_path / "single")["comparisons"][0]["interval"] is None


def test_a_difference_that_one_seed_makes_is_not_supported(tmp_path):
    cases = {f"c{i}": 0.8 + i / 100 for i in range(12)}
    for seed, gain in enumerate((0, 0, 0.1)):
        write_run(tmp_path / "base" / f"seed{seed}", {case: (dice, 5) for case, dice in cases.items()})
        write_run(tmp_path / "lucky" / f"seed{seed}", {case: (dice + gain, 5) for case, dice in cases.items()})
    compare([tmp_path / "base", tmp_path / "lucky"], out=tmp_path / "out", metrics="dice")
    (one,) = read(tmp_path / "out")["comparisons"]
    # Every patient gains, and p is the smallest there is; two of three networks are no better.
    assert one["significant"] and one["interval"][0] == pytest.approx(0, abs=1e-9)
    assert one["claim"] == "not supported"
