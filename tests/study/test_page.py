import json
import shutil

import page
import pytest
import record
import runs
from evaluation import measure_stripes
from paper import protocol_differences
from regionwise.datasets import read_cases
from regionwise.errors import InputError
from regionwise.files import write_json
from regionwise.nifti import read_labels, write_volume
from regionwise.phantoms.write import phantom
from results import compare, read_table

from .test_render import check_latex

METHODS = {"rrw": 0.9, "dice": 0.8}
COST = {"wall_s": 60.0, "cpu_s": 50.0, "peak_memory_gib": 0.5, "energy_j": None}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return the folder of a study of two losses and two seeds on synthetic hippocampi, as its jobs leave it."""
    out = tmp_path_factory.mktemp("study")
    scans = out / "scans"
    phantom("msd", str(scans), 8, 0, 40, "small")
    cases = read_cases("msd", scans)
    listed = {"val": {case["case_id"]: [] for case in cases}}
    write_json(out / "data" / "hippocampus" / "fold0" / "prepared.json", {"scans": str(scans), "cases": listed})
    groups = "".join(f"{case['case_id']},{case['subject_id']}\n" for case in cases)
    (out / "data" / "hippocampus" / "fold0" / "groups.csv").write_text("case,patient\n" + groups)
    cells = {}
    for method, dice in METHODS.items():
        for seed in (0, 1):
            folder = f"hippocampus/fold0/{method}/seed{seed}"
            cells[folder] = {"dataset": "hippocampus", "fold": 0, "method": method, "seed": seed, "loss": method}
            _finish(out / "cells" / folder, cases, dice + 0.01 * seed, method)
            if folder.endswith("dice/seed1"):
                _stripe(out / "cells" / folder / "evaluation" / "predictions")
            stripes = measure_stripes(out / "cells" / folder / "evaluation" / "predictions", "msd", str(scans))
            write_json(out / "cells" / folder / "evaluation.json", {"cost": COST, "stripes": stripes})
    study = {
        "preset": "hippocampus", "data": "/data", "readers": {"hippocampus": "msd"}, "baseline": "rrw",
        "metrics": ["dice"], "margins": {}, "note": "", "tests": {}, "settings": {"hippocampus": {"epochs": 100}},
        "cells": cells,
    }  # fmt: skip
    write_json(out / "study.json", study)
    return out


def _finish(cell, cases, dice, method):
    rows = ["case,structure,status,dice"]
    for number, case in enumerate(cases):
        for structure in ("anterior", "posterior"):
            rows.append(f"{case['case_id']},{structure},TP,{dice + 0.003 * number}")
        (cell / "evaluation" / "predictions").mkdir(parents=True, exist_ok=True)
        shutil.copy(case["label"], cell / "evaluation" / "predictions" / f"{case['case_id']}.nii.gz")
    (cell / "evaluation" / "cases.csv").write_text("\n".join(rows) + "\n")
    command = ["/bin/python", "-m", "monai.bundle", "--bundle_root", "/here/bundles/b_rrw", "--dataset_dir", "/data"]
    write_json(cell / "train.json", {
        "weights": str(cell / "runs" / "model_last.pt"), "spec": {"bundle": "b_rrw"},
        "cost": {**COST, "resumed": method == "dice"},
        "command": [*command, "--output_dir", f"{cell}/runs/x", "--filters", "[8, 16]"],
        "versions": record.versions(), "machine": record.machine(),
        "package_sha256": "a" * 64, "data_sha256": "b" * 64,
        "collapses": ["warning: the training has collapsed: class 0"] if method == "dice" else [],
    })  # fmt: skip


def _stripe(predictions):
    """Take every second column along axis 1 out of all predictions."""
    for file in predictions.iterdir():
        volume = read_labels(file)
        labels = volume.array.copy()
        labels[:, ::2] = 0
        write_volume(file, labels, volume.affine)


@pytest.fixture(scope="module")
def written(finished):
    compare(finished, "hippocampus")
    page.report(finished)
    return finished


def test_tables_hold_every_case_of_every_cell(written):
    folder = written / "results" / "hippocampus"
    rows = read_table(folder / "cases.csv")
    assert len(rows) == 2 * 2 * 8 * 2
    assert {(row["method"], row["seed"]) for row in rows} == {(m, s) for m in METHODS for s in "01"}
    comparison = json.loads((folder / "comparison.json").read_text())
    assert {one["claim"] for one in comparison["comparisons"]} == {"supported: worse"}
    variance = [one for one in comparison["variance"] if one["method"] == "rrw"]
    assert variance[0]["seed"] == pytest.approx(0.01 / 2**0.5)  # of two values 0.01 apart
    found = [(row["seed"], row["kind"]) for row in read_table(folder / "failures.csv")]
    assert found == [("0", "collapse"), ("1", "collapse"), ("1", "stripes")]
    assert [row["resumed"] for row in read_table(folder / "cost.csv")] == ["no", "no", "yes", "yes"]


def test_page_says_what_the_data_support(written):
    text = (written / "report.md").read_text()
    assert "- `rrw` is as good as `dice` or better: **supported** (anterior -0.100 [-0.1" in text
    assert ", supported: worse" in text and "- hippocampus: epochs 100\n" in text
    assert "Same protocol? No: hippocampus is not in the paper." in text
    assert "`dice`, seed 0: collapse - warning: the training has collapsed" in text
    names = ("cdf.svg", "worst.png", "ranks.svg", "gradients.svg")
    for name in ("gradients.svg", *(f"hippocampus_{name}" for name in names)):
        assert f"(figures/{name})" in text and (written / "figures" / name).stat().st_size > 1000


def test_page_tells_of_stripes_with_the_threshold(written):
    text = (written / "report.md").read_text()
    (line,) = (line for line in text.splitlines() if "stripes - " in line)
    assert line.startswith("- `dice`, seed 1: stripes - ")
    assert " along axis 1 come back one voxel later (references: " in line and line.endswith("striped cases: 8 of 8")
    assert "exceeds twice the references' by more than 0.1; `stripes.csv` has every case." in text
    rows = read_table(written / "results" / "hippocampus" / "stripes.csv")
    assert len(rows) == 2 * 2 * 8
    assert {(row["method"], row["seed"]) for row in rows if row["striped"] == "yes"} == {("dice", "1")}


def test_a_structure_that_is_never_predicted_is_listed(finished, tmp_path):
    out = tmp_path / "study"
    shutil.copytree(finished, out)
    path = out / "cells" / "hippocampus" / "fold0" / "rrw" / "seed0" / "evaluation" / "cases.csv"
    lines = path.read_text().splitlines()
    lines = [",".join([*line.split(",")[:2], "FN", "0"]) if ",posterior," in line else line for line in lines]
    path.write_text("\n".join(lines) + "\n")
    compare(out, "hippocampus")
    first = read_table(out / "results" / "hippocampus" / "failures.csv")[0]
    assert (first["kind"], first["method"], first["seed"]) == ("never predicted", "rrw", "0")
    assert first["line"] == "posterior is in 8 of 8 references and in no prediction"


def test_latex_holds_the_same_tables(written):
    text, shown = (written / "report.tex").read_text(), (written / "report.md").read_text()
    check_latex(text)
    assert text.count(r"\begin{tabular}") == shown.count("| --- |") == 3  # means, comparisons, cost
    assert r"Same protocol? No: hippocampus is not in the paper." in text
    assert r"\texttt{dice}, seed 1: stripes - " in text and r"\textbf{supported}" in text
    assert r"\includegraphics[width=\linewidth]{figures/hippocampus_worst.png}" in text


def test_page_is_one_file_that_opens_offline(written):
    text = (written / "report.html").read_text()
    assert "http://" not in text.replace("http://www.w3.org", "") and "https://" not in text
    assert text.count("<svg") >= 4 and "data:image/png;base64," in text


def test_page_names_no_folder_of_the_machine(written):
    for name in ("report.md", "report.html", "report.tex"):
        text = (written / name).read_text()
        assert str(written) not in text and "/here" not in text and "/data " not in text
    shown = (written / "report.md").read_text()
    assert "--bundle_root bundles/b_rrw --dataset_dir DIR --output_dir OUT/cells/hippocampus/fold0/rrw/seed0" in shown
    assert '--filters "[8, 16]"' in shown


def test_tables_are_the_same_to_the_byte(written):
    folder = written / "results" / "hippocampus"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    compare(written, "hippocampus")
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_cell_that_did_not_finish_is_left_out_and_listed(finished, tmp_path):
    out = tmp_path / "study"
    shutil.copytree(finished, out)
    (out / "cells" / "hippocampus" / "fold0" / "dice" / "seed1" / "evaluation.json").unlink()
    log = out / "logs" / "evaluate" / "hippocampus_fold0_dice_seed1.log"
    log.parent.mkdir(parents=True)
    log.write_text(f"error: No space left on device: {out}/x\n")
    compare(out, "hippocampus")
    comparison = json.loads((out / "results" / "hippocampus" / "comparison.json").read_text())
    assert comparison["methods"]["dice"]["seeds"] == 1
    assert "dice: seed 1 is left out, hippocampus/fold0/dice/seed1 did not finish" in comparison["notes"]
    failures = read_table(out / "results" / "hippocampus" / "failures.csv")
    assert failures[-1]["line"] == "No space left on device: OUT/x"


def test_results_of_other_cases_are_one_line(finished, tmp_path):
    out = tmp_path / "study"
    shutil.copytree(finished, out)
    path = out / "cells" / "hippocampus" / "fold0" / "dice" / "seed1" / "evaluation" / "cases.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(InputError, match="results without a partner: 1; evaluate the same cases"):
        compare(out, "hippocampus")
    shutil.rmtree(out / "cells" / "hippocampus" / "fold0" / "dice")
    with pytest.raises(InputError, match="expected results of two methods or more, found 1"):
        compare(out, "hippocampus")


def test_protocol_is_the_papers_only_without_changes():
    study = {"data": "/data", "settings": {"acdc": {"val_interval": 10}, "brats": {"epochs": 10}}}
    assert protocol_differences(study, "acdc") == []
    assert protocol_differences(study, "brats") == ["the preset changes `epochs`"]
    assert "the scans are synthetic" in protocol_differences(study | {"data": "phantom"}, "acdc")


def test_settings_that_all_datasets_share_are_said_once():
    shared = page._shared_first({"acdc": {"epochs": 8, "amp": None}, "kits": {"amp": None, "epochs": 8, "size": 4}})
    assert shared == {"all": {"epochs": 8, "amp": None}, "acdc": {}, "kits": {"size": 4}}
    assert page._shared_first({"acdc": {"epochs": 8}, "kits": {}}) == {"all": {}, "acdc": {"epochs": 8}, "kits": {}}


def test_a_failed_command_is_one_line(tmp_path):
    log = tmp_path / "log"
    with pytest.raises(InputError, match=r"^the loss became nan \(exit status 1; all of it is in .*log\)$"):
        record.run(["sh", "-c", "echo start; echo error: the loss became nan >&2; exit 1"], log)
    cost = record.run(["sh", "-c", "echo fine"], log)
    assert cost["wall_s"] >= 0 and cost["peak_memory_gib"] > 0
    assert log.read_text().endswith("$ sh -c echo fine\nfine\n")


def test_curves_are_read_from_tensorboard(tmp_path):
    from torch.utils.tensorboard import SummaryWriter

    for first in (1, 2):  # a resumed run has files of its own, and an epoch twice
        with SummaryWriter(str(tmp_path)) as writer:
            for epoch in (first, first + 1):
                writer.add_scalar("val_mean_dice", epoch / 10, epoch)
    curve = runs.validation_curve(tmp_path)
    assert [epoch for epoch, _ in curve] == [1, 2, 3]
    assert [dice for _, dice in curve] == pytest.approx([0.1, 0.2, 0.3])
