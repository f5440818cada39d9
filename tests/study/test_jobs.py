import errno

import jobs
import pytest
from evaluation import write_submission
from jobs import progress
from regionwise.files import write_json
from runs import unfinished
from study import main


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


def test_a_full_disk_is_one_line(monkeypatch, capsys, tmp_path):
    def full(*given):
        raise OSError(errno.ENOSPC, "No space left on device", "/out/last.pt")

    monkeypatch.setattr(jobs, "prepare", full)
    assert main(["prepare", "--out", str(tmp_path), "--dataset", "acdc"]) == 1
    assert capsys.readouterr().err == "error: No space left on device: /out/last.pt\n"


def test_what_did_not_finish_is_told_with_the_last_error(tmp_path, capsys):
    cells = {
        f"acdc/fold0/{method}/seed0": {"dataset": "acdc", "fold": 0, "method": method, "seed": 0}
        for method in ("rrw", "dice", "focal")
    }
    write_json(tmp_path / "study.json", {"cells": cells})
    (tmp_path / "logs" / "train").mkdir(parents=True)
    (tmp_path / "logs" / "train" / "acdc_fold0_dice_seed0.log").write_text(
        f"epoch 1\nerror: No space left: {tmp_path}/x\n"
    )
    for name in ("train", "evaluation"):
        write_json(tmp_path / "cells" / "acdc" / "fold0" / "rrw" / "seed0" / f"{name}.json", {})
    assert main(["unfinished", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "acdc/fold0/dice/seed0: No space left: OUT/x",
        "acdc/fold0/focal/seed0: not started, or killed",
        "tables of acdc: not made",
    ]
    (tmp_path / "logs" / "prepare_acdc_fold0.log").write_text("error: expected a file at x, not found\n")
    assert unfinished(tmp_path)[1] == "acdc/fold0/focal/seed0: expected a file at x, not found"
