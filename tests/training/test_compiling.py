"""Whether the network is compiled follows from what this machine can."""

import os
import subprocess
import sys

import pytest
import torch
from regionwise.training import can_compile

CODE = "from regionwise.training import can_compile; print(can_compile())"


@pytest.mark.slow
def test_without_a_compiler_the_network_is_not_compiled(tmp_path):
    environment = {**os.environ, "PATH": str(tmp_path), "CXX": "", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True)
    line, answer = done.stdout.splitlines()
    assert answer == "False"
    assert line.startswith("the network is not compiled, which takes about twice the time per iteration (")


def test_an_error_of_the_compiler_is_said(monkeypatch, capsys):
    def fail(x):
        raise torch._dynamo.exc.TorchDynamoException("no working C++ compiler\nmore")

    monkeypatch.setattr(torch, "compile", lambda function: fail)
    assert can_compile() is False
    assert capsys.readouterr().out == (
        "the network is not compiled, which takes about twice the time per iteration (no working C++ compiler)\n"
    )


def test_a_machine_that_compiles_says_so(monkeypatch, capsys):
    monkeypatch.setattr(torch, "compile", lambda function: function)
    assert can_compile() is True
    assert capsys.readouterr().out.startswith("the network is compiled, which takes a minute at first")
