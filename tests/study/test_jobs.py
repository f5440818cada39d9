import pytest
from jobs import progress, write_submission
from regionwise.files import write_json


def test_submission_has_the_names_of_acdcs_server(tmp_path):
    (tmp_path / "predictions").mkdir()
    rows = ["case,structure,status,dice,group"]
    for frame, phase in (("01", "ED"), ("12", "ES")):
        rows += [f"patient101_frame{frame},{structure},TP,0.9,{phase}" for structure in ("RV", "LV")]
        (tmp_path / "predictions" / f"patient101_frame{frame}.nii.gz").write_text(phase)
    (tmp_path / "cases.csv").write_text("\n".join(rows) + "\n")
    write_submission(tmp_path)
    found = {path.name: path.read_text() for path in (tmp_path / "submission").iterdir()}
    assert found == {"patient101_ED.nii.gz": "ED", "patient101_ES.nii.gz": "ES"}


@pytest.mark.parametrize(
    ("finished", "line"),
    [
        (0, "0 of 3 cells are finished"),
        (1, "1 of 3 cells are finished; about 4 minutes left with one job at a time"),
        (3, "3 of 3 cells are finished"),
    ],
)
def test_progress_tells_the_time_left(tmp_path, finished, line):
    write_json(tmp_path / "study.json", {"cells": {name: {} for name in "abc"}})
    for name in "abc"[:finished]:
        for record, seconds in (("train", 100), ("evaluation", 20)):
            write_json(tmp_path / "cells" / name / f"{record}.json", {"cost": {"wall_s": seconds}})
    assert progress(tmp_path) == line
