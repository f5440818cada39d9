from pathlib import Path

import pytest
from regionwise.bids.names import check_choice, matches, parse_name
from regionwise.errors import InputError


def file(name):
    return parse_name(Path("sub-01/anat") / name)


def test_entities_suffix_and_datatype():
    found = file("sub-01_ses-pre_ce-gadolinium_run-02_T1w.nii.gz")
    expected = {"sub": "01", "ses": "pre", "ce": "gadolinium", "run": "02", "suffix": "T1w", "datatype": "anat"}
    assert found.entities == expected


@pytest.mark.parametrize(
    "name", ["T1w.nii.gz", "sub-01_T1w.json", "ses-1_T1w.nii.gz", "sub-01_x_T1w.nii.gz", "sub-01_T1w.nii.gz.md5", ".x"]
)
def test_other_files_are_not_taken(name):
    assert file(name) is None


@pytest.mark.parametrize(
    ("choice", "fits"),
    [
        ({}, True),
        ({"suffix": "T1w"}, True),
        ({"suffix": "T2w"}, False),
        ({"run": 2}, True),
        ({"run": "2"}, True),
        ({"run": [1, 2]}, True),
        ({"run": 3}, False),
        ({"run": "*"}, True),
        ({"run": "each"}, True),
        ({"run": None}, False),
        ({"acq": None}, True),
        ({"acq": "*"}, False),
        ({"acq": "each"}, True),
        ({"acq": "fast"}, False),
    ],
)
def test_a_choice_fits_or_not(choice, fits):
    assert matches(file("sub-01_run-02_T1w.nii.gz"), choice) is fits


def test_long_names_are_taken_and_wrong_ones_refused():
    assert check_choice({"session": "1", "suffix": "T1w"}, "choose") == {"ses": "1", "suffix": "T1w"}
    with pytest.raises(InputError, match="Unknown entity 'sesion' in --choose; did you mean 'ses'"):
        check_choice({"sesion": 1}, "choose")
    with pytest.raises(InputError, match="expected --choose as"):
        check_choice("run-1", "choose")
