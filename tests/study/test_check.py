import pytest
from check import check
from regionwise.errors import InputError
from regionwise.files import write_json


def study(folder, *losses):
    cells = {
        f"acdc/fold0/{loss}/seed{seed}": {"dataset": "acdc", "method": loss, "loss": loss, "seed": seed}
        for loss in losses
        for seed in (0, 1)
    }
    write_json(folder / "study.json", {"preset": "small", "cells": cells})
    return folder


def test_the_size_of_a_study_and_what_it_can_show_are_printed(tmp_path, capsys):
    check(study(tmp_path, "rrw", "boundary+dice:gradual"))
    first, *power = capsys.readouterr().out.splitlines()
    assert first == "4 cells: 1 datasets, 2 losses, 2 seeds"
    assert power[1].startswith("with 2 seeds x 50 patients you can see Dice differences of 0.0")


def test_an_unknown_loss_is_one_line(tmp_path):
    with pytest.raises(InputError) as error:
        check(study(tmp_path, "rrw", "focl"))
    assert str(error.value) == f"loss 'focl' of preset 'small': {str(error.value).partition(': ')[2]}"
    assert "did you mean 'focal'?" in str(error.value) and "\n" not in str(error.value)
