"""What components learn of the configuration they stand in."""

import json
import subprocess
import sys

import pytest
from monai.bundle import ConfigParser
from regionwise.bundle import evaluation_settings, is_on, leave_out, network_settings, run_settings
from regionwise.errors import find_input_error

CONFIG = {
    "epochs": 3,
    "output_dir": "out",
    "resume": True,
    "amp": "True",
    "patch_size": [8, 8],
    "slice_axis": 2,
    "filters": [4, 8],
    "network_def": {
        "_desc_": "a network",
        "_target_": "DynUNet",
        "spatial_dims": "$len(@patch_size)",
        "strides": {"_target_": "regionwise.training.encoder_strides", "upsampling": [2]},
        "filters": "@filters",
        "act_name": ["leakyrelu", {"inplace": True}],
        "deep_supervision": True,
        "deep_supr_num": 1,
    },
    "train": {
        "handlers": [{"_target_": "Tracker", "interval": "@epochs"}, {"_target_": "MLFlowHandler", "run": 5}],
        "dataloader": {"num_workers": 4, "batch_size": 2},
        "pixdim": (1, 1),
    },
    "settings": {"_target_": "regionwise.bundle.run_settings"},
    "network": {"_target_": "regionwise.bundle.network_settings"},
}


def parsed(path, **changes):
    return ConfigParser({**CONFIG, **changes}).get_parsed_content(path)


def test_settings_are_all_that_changes_the_result_as_it_is_written():
    settings = parsed("settings")
    assert {key: value for key, value in settings.items() if "#" not in key} == {
        "epochs": 3,
        "amp": True,
        "patch_size": [8, 8],
        "slice_axis": 2,
        "filters": [4, 8],
    }
    assert settings["network_def#filters"] == "@filters"
    assert settings["train#handlers#0#interval"] == "@epochs"
    assert settings["train#dataloader#batch_size"] == 2
    assert settings["train#pixdim"] == [1, 1]
    left_out = {"output_dir", "resume", "train#dataloader#num_workers", "train#handlers#1#run", "network_def#_desc_"}
    assert not left_out & settings.keys()
    assert json.loads(json.dumps(settings)) == settings


def test_the_network_is_recorded_as_values_without_deep_supervision():
    assert parsed("network") == {
        "network_def": {
            "_target_": "DynUNet",
            "spatial_dims": 2,
            "strides": [1, 2],
            "filters": [4, 8],
            "act_name": ["leakyrelu", {"inplace": True}],
            "deep_supervision": False,
        },
        "patch_size": [8, 8],
        "slice_axis": 2,
    }


def test_a_part_that_is_an_object_is_recorded_by_its_arguments():
    inner = {"_target_": "torch.nn.Linear", "in_features": "@epochs", "out_features": 2}
    recorded = parsed("network", network_def={"_target_": "torch.nn.Sequential", "args": inner})
    assert recorded["network_def"]["args"] == {**inner, "in_features": 3}


def test_what_has_no_form_in_json_is_named():
    with pytest.raises(RuntimeError) as caught:
        parsed("network", network_def={"_target_": "UNet", "norm": "$torch.nn.Identity()"})
    problem = find_input_error(caught.value)
    assert str(problem).startswith("network_def#norm: expected numbers, texts, lists and mappings, found Identity()")


def test_an_evaluation_says_what_it_is_of():
    parser = ConfigParser({"section": "val", "tta": "false", "epochs": 3, "_meta_": {"name": "acdc_rrw"}})
    parser["about"] = {"_target_": "regionwise.bundle.evaluation_settings"}
    assert parser.get_parsed_content("about") == {"bundle": "acdc_rrw", "section": "val", "tta": False}


@pytest.mark.parametrize("read", [run_settings, network_settings, evaluation_settings])
def test_outside_a_configuration_there_is_nothing_to_read(read):
    with pytest.raises(RuntimeError, match="no configuration"):
        read()


def test_switches_in_any_spelling():
    assert is_on(["false", True]) and not is_on(["False", False])


def test_only_the_main_process_writes_and_only_what_is_wanted(monkeypatch):
    assert not leave_out() and not leave_out("true") and leave_out("false")
    monkeypatch.setattr("regionwise.bundle.configuration.is_main_process", lambda: False)
    assert leave_out() and leave_out("true")


def test_a_training_loads_no_report_and_no_packaging():
    """In a process of its own. MONAI loads matplotlib itself."""
    code = (
        "import sys, regionwise.bundle, regionwise.training, regionwise.data, regionwise.losses, regionwise.inference\n"
        "found = {'jinja2', 'regionwise.evaluation.report', 'regionwise.packaging'} & sys.modules.keys()\n"
        "assert not found, found\n"
        "from regionwise.bundle import evaluate_datalist"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
