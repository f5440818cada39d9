"""A packed bundle carries the calibration of its weights, and says what of it needs the package."""

import hashlib
import json

import pytest
from regionwise.errors import InputError
from regionwise.packaging.archive import read_bundle
from regionwise.packaging.code import find_code
from regionwise.packaging.pack import pack

from .packing import write_run, write_source

RECORD = {
    "cases": 20,
    "patients": 10,
    "scaling": {"method": "temperature", "temperature": [1.5] * 4, "shift": [0.0] * 4},
    "margins_mm": {
        "alpha": 0.1,
        "inside": 0.95,
        "n": 10,
        "floor": 1 / 11,
        "structures": {
            "RV": {"outer": 3.25, "inner": 1.5, "patients_without": 0},
            "LV": {"outer": None, "inner": 0.0, "patients_without": 2},
        },
    },
    "trust": {"coverage": 0.9, "thresholds": {"soft Dice confidence": 0.9}},
    "volumes": {},
}


@pytest.fixture
def run(tmp_path):
    folder = write_run(tmp_path / "run")
    digest = hashlib.sha256((folder / "model.pt").read_bytes()).hexdigest()
    (folder / "calibration.json").write_text(json.dumps(RECORD | {"weights_sha256": digest}))
    return folder


def test_the_bundle_carries_its_calibration(run, tmp_path):
    pack(str(write_source(tmp_path / "source")), str(run), str(tmp_path / "dist"))
    bundle = read_bundle(next((tmp_path / "dist").glob("*.zip")))
    assert not [line for line in find_code(bundle)[1] if "calibration" in line]
    contents = bundle.contents
    packed = json.loads(contents["configs/calibration.json"])
    assert packed["margins_mm"] == RECORD["margins_mm"]
    card = contents["docs/README.md"].decode()
    assert "The last layer holds a temperature of 1.500, fitted on 20 cases of 10 patients" in card
    assert "| RV | 3.25 | 1.50 | 0 |" in card
    assert "| LV | none is enough | 0.00 | 2 |" in card
    assert "MONAI alone writes labels." in card


def test_the_card_says_what_no_layer_can_hold(run, tmp_path):
    record = json.loads((run / "calibration.json").read_text())
    record["scaling"] = {"method": "isotonic", "knots": [[0.0, 1.0]] * 4, "values": [[0.1, 0.9]] * 4}
    (run / "calibration.json").write_text(json.dumps(record))
    pack(str(write_source(tmp_path / "source")), str(run), str(tmp_path / "dist"))
    card = read_bundle(next((tmp_path / "dist").glob("*.zip"))).contents["docs/README.md"].decode()
    assert "Probabilities are calibrated (a rising function per class, 2, 2, 2, 2 knots) by `regionwise predict" in card
    assert "those of MONAI alone are as trained. Labels are the same." in card


def test_without_a_calibration_the_card_says_nothing_of_one(tmp_path):
    pack(str(write_source(tmp_path / "source")), str(write_run(tmp_path / "run")), str(tmp_path / "dist"))
    contents = read_bundle(next((tmp_path / "dist").glob("*.zip"))).contents
    assert "configs/calibration.json" not in contents
    assert "Calibration and trust" not in contents["docs/README.md"].decode()


def test_a_calibration_of_other_weights_is_refused(run, tmp_path):
    (run / "calibration.json").write_text(json.dumps(RECORD | {"weights_sha256": "0" * 64}))
    with pytest.raises(InputError, match=r"calibration.json is of other weights than .*model.pt; pack those that"):
        pack(str(write_source(tmp_path / "source")), str(run), str(tmp_path / "dist"))
