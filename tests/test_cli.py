"""The commands: their list and help, how a run ends, and one line for each value that is none."""

import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from regionwise import __version__, cli
from regionwise.errors import InputError


def greet(name: str, times: int = 1, loud: bool = False, ending: str = "there") -> int:
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


def fill():
    """Write to a folder that is a file."""
    Path("/dev/null/file").write_text("")


def wrap():
    """Fail as MONAI does."""
    try:
        raise InputError("expected a scan")
    except InputError as error:
        raise RuntimeError("Failed to instantiate component") from error


def wait():
    """Be interrupted."""
    raise KeyboardInterrupt


@pytest.fixture
def own(monkeypatch):
    """Commands of this module in place of the package's."""
    own = {function.__name__: f"{__name__}:{function.__name__}" for function in (greet, crash, fill, wrap, wait)}
    monkeypatch.setattr(cli, "COMMANDS", own)


def test_a_command_gets_its_options(own, capsys):
    assert cli.main(["greet", "--name", "you", "--times=2", "--loud"]) == 0
    assert capsys.readouterr().out == "HELLO YOU HELLO YOU\n"


def test_options_may_be_positional(own, capsys):
    assert cli.main(["greet", "you"]) == 0
    assert capsys.readouterr().out == "hello you\n"


def test_a_commands_integer_is_the_exit_status(own):
    assert cli.main(["greet", "you", "--times", "3"]) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["greet", "you", "--times", "0"], "expected times >= 1, found 0"),
        (["great"], "Unknown command 'great'; did you mean 'greet'? choices: greet, crash, fill, wrap, wait"),
        (["greet", "you", "--nme", "you"], "'greet' has no option --nme; did you mean 'name'? choices: "),
        (["greet"], "'greet' needs --name; see python -m regionwise greet --help"),
        (["fill"], "Not a directory: /dev/null/file"),
        (["wrap"], "expected a scan"),
    ],
)
def test_bad_input_is_one_line_and_status_1(own, words, message, capsys):
    assert cli.main(words) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith(f"error: {message}")
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_a_defect_keeps_its_traceback(own):
    with pytest.raises(KeyError, match="ours"):
        cli.main(["crash"])


def test_an_interrupt_is_one_line_and_status_130(own, capsys):
    assert cli.main(["wait"]) == 130
    assert capsys.readouterr().err == "interrupted: wait did not finish\n"


def test_without_a_command_the_commands_are_listed_with_a_line_each(capsys):
    assert cli.main([]) == 0
    listed = capsys.readouterr().out
    for name, place in cli.COMMANDS.items():
        module, function = place.split(":")
        first = getattr(import_module(module), function).__doc__.splitlines()[0]
        assert f"  {name:9}  {first}\n" in listed


def test_the_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"regionwise {__version__}\n"


def test_help_shows_the_options_and_the_docstring(own, capsys):
    assert cli.main(["greet", "--help"]) == 0
    out = capsys.readouterr().out
    assert "usage: regionwise greet --name VALUE [--times 1] [--loud False] [--ending there]\n" in out
    assert "name: whom to greet." in out


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_exists_and_has_help(command, capsys):
    assert callable(cli._load(command))
    assert cli.main([command, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: regionwise {command} ")


@pytest.mark.parametrize("words", [[], ["--version"], ["evaluate", "--help"], ["verify", "--help"]])
def test_help_imports_nothing_heavy(words):
    code = (
        "import json, sys; from regionwise.cli import main; status = main(json.loads(sys.argv[1]));"
        "print('\\n' + json.dumps([status, sorted(sys.modules)]))"
    )
    done = subprocess.run([sys.executable, "-c", code, json.dumps(words)], capture_output=True, text=True, check=True)
    status, modules = json.loads(done.stdout.splitlines()[-1])
    assert status == 0
    assert not {"torch", "scipy", "numpy", "monai", "fire"} & set(modules)


def test_the_module_runs():
    command = [sys.executable, "-m", "regionwise", "lnt"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.startswith("error: Unknown command 'lnt'; did you mean 'lint'?")
    assert result.stderr.count("\n") == 1


EVALUATE = "evaluate --predictions P --references R --out O"
COMPARE = "compare --results A B --out O"
BAD_VALUES = {
    f"{EVALUATE} --workers abc": "expected --workers to be an integer.*, found 'abc'",
    f"{EVALUATE} --workers 1.5": "expected --workers to be an integer.*, found '1.5'",
    f"{EVALUATE} --label_map {{3:-1}}": "label_map.*-1",
    f"{EVALUATE} --worst abc": "expected --worst to be an integer.*, found 'abc'",
    f"{EVALUATE} --num_classes abc": "expected --num_classes to be an integer.*, found 'abc'",
    f"{EVALUATE} --num_classes 2.5": "expected --num_classes to be an integer.*, found '2.5'",
    f"{EVALUATE} --regions {{WT:[]}}": r"expected --regions to be .*, found '\{WT:\[\]\}'",
    f"{EVALUATE} --regions {{WT:abc}}": r"expected --regions to be a text or \{text: \[integer, ...\], ...\}, found",
    f"{EVALUATE} --regions {{WT:[a]}}": "expected --regions to be .*, found",
    f"{EVALUATE} --label_map abc": r"expected --label_map to be \{integer: integer, ...\}, found 'abc'",
    f"{EVALUATE} --label_map {{1:x}}": "expected --label_map to be .*, found",
    f"{EVALUATE} --label_map {{[1]:2}}": "expected --label_map to be .*, found",
    f"{EVALUATE} --boundary_width_mm abc": "expected --boundary_width_mm to be a number.*, found 'abc'",
    f"{EVALUATE} --boundary_width_mm nan": "expected --boundary_width_mm to be a number.*, found 'nan'",
    f"{EVALUATE} --boundary_width_mm": "expected a value after --boundary_width_mm, found nothing",
    f"{EVALUATE} --tolerances_mm 1,x": "expected --tolerances_mm to be .*, found '1,x'",
    f"{EVALUATE} --skip_bad maybe": "expected --skip_bad to be true or false, found 'maybe'",
    f"{EVALUATE} --split": "expected a value after --split, found nothing",
    f"{EVALUATE} --split --skip_bad": "expected a value after --split, found --skip_bad",
    f"{EVALUATE} --out P": "'evaluate' got --out twice; give it once",
    "evaluate --predictions 5 --references 6 --out 7": "expected a folder .*at 6, not found",
    "evaluate --predictions P --references R --out=": "expected --out to be .*, found an empty text",
    "evaluate --predictions P --references R": "'evaluate' needs --out; see python -m regionwise evaluate --help",
    f"{COMPARE} --permutations x": "expected --permutations to be an integer.*, found 'x'",
    f"{COMPARE} --level x": "expected --level to be a number.*, found 'x'",
    f"{COMPARE} --seed x": "expected --seed to be an integer.*, found 'x'",
    "compare --results 5 6 --out O": "5",
    "check --dataset [acdc] --dir D": r"Unknown dataset '\[acdc\]'",
    "check --dataset acdc --dir 5": "expected .* 5",
    "check --dataset acdc --dir D --strict maybe": "expected --strict to be true or false, found 'maybe'",
    "phantom --dataset [acdc] --out O": r"Unknown dataset '\[acdc\]'",
    "phantom --dataset acdc --out O --subjects x": "expected --subjects to be an integer.*, found 'x'",
    "phantom --dataset acdc --out O --subjects -3": "subjects.*-3",
    "phantom --dataset acdc --out O --subjects 2.0": "expected --subjects to be an integer.*, found '2.0'",
    "gradients --labels 5": "5",
    "gradients --labels L --num_classes abc": "expected --num_classes to be an integer.*, found 'abc'",
    "gradients --labels L --rectified maybe": "expected --rectified to be true or false, found 'maybe'",
    "lint 5": "5",
    "pack 5 --checkpoint 6": "5",
    "pack B --checkpoint C --force maybe": "expected --force to be true or false, found 'maybe'",
    "verify 5": "5",
    "verify B --execute maybe": "expected --execute to be true or false, found 'maybe'",
    "export 5 --out O": "5",
    "dicom B --input I --output_dir O --slice_axis x": "expected --slice_axis to be .*, found 'x'",
    "push 5 --to 6": "5",
    "push B --to T --private maybe": "expected --private to be true or false, found 'maybe'",
    "pull 5": "5",
    "pull S --out=": "expected --out to be a text, found an empty text",
    "verify A B C": "'verify' does not know what 'C' is for; put --NAME before it|expected --execute",
    "verify B -x": "'verify' has no option -x",
}


@pytest.mark.parametrize("line", BAD_VALUES)
def test_a_value_that_is_none_is_one_line(line, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert cli.main(line.split()) == 1
    error = capfd.readouterr()
    told = [text for text in (error.err + error.out).splitlines() if text.startswith("error: ")]
    assert len(told) == 1
    assert re.search(BAD_VALUES[line], told[0])
    assert "Traceback" not in error.err
    assert list(tmp_path.iterdir()) == []
