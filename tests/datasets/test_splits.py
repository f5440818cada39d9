import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from regionwise.datasets import datalist, split_cases
from regionwise.errors import InputError


def make_cases(numbers, pattern="patient{:03d}", frames=("ED", "ES")):
    return [
        {
            "case_id": f"{pattern.format(n)}_{frame}",
            "subject_id": pattern.format(n),
            "image": "i",
            "label": "l",
            "group": frame,
        }
        for n in numbers
        for frame in frames
    ]


def subjects(cases):
    return [case["subject_id"] for case in cases]


def test_the_papers_split_of_acdc():
    sides = split_cases("acdc", make_cases(range(1, 101)))
    assert {name: len(cases) for name, cases in sides.items()} == {"train": 100, "val": 100}
    assert all(int(subject[-3:]) % 2 == 0 for subject in subjects(sides["train"]))
    assert all(int(subject[-3:]) % 2 == 1 for subject in subjects(sides["val"]))


def test_the_papers_split_of_kits():
    sides = split_cases("kits", make_cases(range(210), "case_{:05d}", [""]), "paper")
    assert (len(sides["train"]), len(sides["val"])) == (105, 105)
    assert sides["train"][1]["subject_id"] == "case_00002"


def test_the_papers_split_of_brats():
    sides = split_cases("brats", make_cases(range(210), "Brats18_{:03d}_1", [""]))
    assert (len(sides["train"]), len(sides["val"])) == (105, 105)
    assert (sides["train"][0]["subject_id"], sides["val"][0]["subject_id"]) == ("Brats18_000_1", "Brats18_001_1")


def test_msd_is_not_in_the_paper():
    cases = make_cases(range(32), "hippocampus_{:03d}", [""])
    sides = split_cases("msd", cases)
    assert (len(sides["train"]), len(sides["val"])) == (24, 8)
    with pytest.raises(InputError, match="the paper has no split of msd; use split 'kfold' or a split file"):
        split_cases("msd", cases, "paper")


@settings(deadline=None, derandomize=True, max_examples=40)
@given(count=st.integers(2, 25), data=st.data())
def test_every_subject_validates_in_exactly_one_fold(count, data):
    folds = data.draw(st.integers(2, count))
    seed = data.draw(st.integers(0, 5))
    cases = make_cases(range(count))
    validated = []
    for fold in range(folds):
        sides = split_cases("acdc", cases, "kfold", fold, folds, seed)
        train, val = set(subjects(sides["train"])), set(subjects(sides["val"]))
        assert not train & val, "a subject is on one side"
        assert len(sides["train"]) + len(sides["val"]) == len(cases), "and all its frames with it"
        validated += sorted(val)
    assert sorted(validated) == sorted({case["subject_id"] for case in cases})


def test_kfold_depends_on_the_seed_and_on_nothing_else():
    cases = make_cases(range(20))
    first = split_cases("acdc", cases, "kfold", seed=1)
    assert first == split_cases("acdc", cases, "kfold", seed=1)
    assert subjects(first["val"]) != subjects(split_cases("acdc", cases, "kfold", seed=2)["val"])
    reversed_order = split_cases("acdc", cases[::-1], "kfold", seed=1)
    assert sorted(subjects(reversed_order["val"])) == sorted(subjects(first["val"]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fold": 4}, r"expected fold to be 0\.\.3 \(folds is 4\), found 4"),
        ({"fold": -1}, "expected fold to be an integer >= 0, found -1"),
        ({"folds": 1}, "expected folds to be an integer >= 2, found 1"),
        ({"seed": 0.5}, r"expected seed to be an integer >= 0, found 0\.5"),
        ({"fold": "0"}, "expected fold to be an integer >= 0, found '0'"),
        ({"folds": 7}, r"expected at least as many subjects as folds \(7\), found 6"),
    ],
)
def test_wrong_kfold_settings(options, message):
    with pytest.raises(InputError, match=message):
        split_cases("acdc", make_cases(range(6)), "kfold", **options)


def test_a_side_without_subjects():
    message = "split 'paper' leaves train without subjects; found 2: patient001, patient003"
    with pytest.raises(InputError, match=message):
        split_cases("acdc", make_cases([1, 3]))


def write_split(tmp_path, content):
    path = tmp_path / "split.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_a_split_file(tmp_path):
    path = write_split(tmp_path, {"train": ["patient003"], "val": ["patient001"]})
    sides = split_cases("acdc", make_cases([1, 2, 3]), path)
    assert subjects(sides["train"]) == ["patient003", "patient003"]
    assert subjects(sides["val"]) == ["patient001", "patient001"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"train": ["patient001"], "val": ["patient02"]},
            "names 'patient02', which is no subject; did you mean 'patient002'",
        ),
        ({"train": ["patient001"], "val": ["patient001"]}, "has 'patient001' in both train and val"),
        ({"train": ["patient001"], "val": []}, "leaves val without subjects"),
        ({"train": ["patient001"]}, r'expected \{"train": \[subjects\], "val": \[subjects\]\} in the split file'),
        (["patient001"], r'expected \{"train": \[subjects\]'),
        ({"train": [1], "val": [2]}, r'expected \{"train": \[subjects\]'),
        ("{", r"split\.json is not JSON"),
    ],
)
def test_wrong_split_files(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        split_cases("acdc", make_cases([1, 2]), write_split(tmp_path, content))


def test_a_wrong_name_among_many_subjects(tmp_path):
    path = write_split(tmp_path, {"train": ["p7"], "val": ["patient001"]})
    with pytest.raises(InputError, match="names 'p7', which is no subject; subjects are like 'patient000'"):
        split_cases("acdc", make_cases(range(30)), path)


def test_an_unknown_split():
    with pytest.raises(InputError, match="expected split to be 'paper', 'kfold' or a JSON file, found 'papr'"):
        split_cases("acdc", make_cases([1, 2]), "papr")


def test_the_datalist_of_a_config(real_data):
    hippocampus = real_data / "msd_task04_hippocampus"
    assert len(datalist("msd", hippocampus)) == 24
    assert len(datalist("msd", hippocampus, "val")) == 8
    assert len(datalist("msd", hippocampus, "all")) == 32
    sunnybrook = real_data / "sunnybrook_acdc_layout"
    assert set(subjects(datalist("acdc", sunnybrook, "train"))) == {"patient902"}
    assert set(subjects(datalist("acdc", sunnybrook, "val"))) == {"patient901"}


def test_an_unknown_section(tmp_path):
    with pytest.raises(InputError, match="Unknown section 'test'; choices: train, val, all"):
        datalist("acdc", tmp_path, "test")


def test_a_fold_of_a_split_without_folds_is_refused():
    with pytest.raises(InputError, match="fold 9 needs split 'kfold', found split 'paper', which has no folds"):
        split_cases("acdc", make_cases(range(6)), "paper", fold=9)
