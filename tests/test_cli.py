import subprocess
import sys

import pytest
from regionwise import cli
from regionwise.errors import InputError


def greet(name: str, times: int = 1, loud: bool = False) -> int:
    """Say hello.

    Args:
        name: whom to greet.
    """
    if times < 1:
        raise InputError(f"expected times >= 1, found {times}")
    print(" ".join([f"hello {name}"] * times).upper() if loud else " ".join([f"hello {name}"] * times))
    return 0 if times < 3 else 1


def crash():
    """Fail."""
    raise KeyError("ours")


@pytest.fixture(autouse=True)
def commands(monkeypatch):
    monkeypatch.setattr(cli, "COMMANDS", {"greet": f"{__name__}:greet", "crash": f"{__name__}:crash"})


def test_a_command_gets_its_options(capsys):
    assert cli.main(["greet", "--name", "you", "--times=2", "--loud"]) == 0
    assert capsys.readouterr().out == "HELLO YOU HELLO YOU\n"


def test_options_may_be_positional(capsys):
    assert cli.main(["greet", "you"]) == 0
    assert capsys.readouterr().out == "hello you\n"


def test_a_commands_integer_is_the_exit_status():
    assert cli.main(["greet", "you", "--times", "3"]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["greet", "you", "--times", "0"], "expected times >= 1, found 0"),
        (["great"], "there is no command 'great'; did you mean 'greet'? choices: greet, crash"),
        (["greet", "--nme", "you"], "'greet' has no option --nme; did you mean 'name'? choices: loud, name, times"),
        (["greet"], "'greet' needs --name; see python -m regionwise greet --help"),
    ],
)
def test_bad_input_is_one_line_and_status_1(arguments, message, capsys):
    assert cli.main(arguments) == 1
    captured = capsys.readouterr()
    assert captured.err == f"error: {message}\n"
    assert captured.out == ""


def test_a_defect_keeps_its_traceback():
    with pytest.raises(KeyError, match="ours"):
        cli.main(["crash"])


def test_without_a_command_the_commands_are_listed(capsys):
    assert cli.main([]) == 0
    assert "  greet\n" in capsys.readouterr().out


def test_help_shows_the_options_and_the_docstring(capsys):
    assert cli.main(["greet", "--help"]) == 0
    out = capsys.readouterr().out
    assert "python -m regionwise greet --name VALUE [--times 1] [--loud False]" in out
    assert "name: whom to greet." in out


def test_every_registered_command_exists_and_has_help(monkeypatch, capsys):
    monkeypatch.undo()
    for name in cli.COMMANDS:
        assert cli.main([name, "--help"]) == 0
        assert f"python -m regionwise {name}" in capsys.readouterr().out


def test_the_module_runs():
    command = [sys.executable, "-m", "regionwise", "lnt"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.startswith("error: there is no command 'lnt'; did you mean 'lint'?")
    assert result.stderr.count("\n") == 1
