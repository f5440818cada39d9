import errno

import pytest
from regionwise.errors import (
    InputError,
    describe_in_one_line,
    did_you_mean,
    find_input_error,
    show_input_errors_in_one_line,
)
from torch.utils.data import DataLoader, Dataset


def test_the_nearest_name_is_suggested():
    assert did_you_mean("rww", ["rrw", "dice"]) == "did you mean 'rrw'? choices: rrw, dice"


def test_nothing_near_gives_the_choices_alone():
    assert did_you_mean("xyz", ["rrw", "dice"]) == "choices: rrw, dice"


def test_names_that_are_no_strings_work():
    assert did_you_mean(7, [1, 2]) == "choices: 1, 2"


def wrapped(chain):
    """Raise an InputError inside a RuntimeError, as MONAI does, with or without `from`."""
    try:
        raise InputError("the file is missing")
    except InputError as error:
        if chain:
            raise RuntimeError("Failed to instantiate component") from error
        raise RuntimeError("Failed to instantiate component")  # noqa: B904


@pytest.mark.parametrize("chain", [True, False])
def test_an_input_error_is_found_under_what_was_raised_because_of_it(chain):
    with pytest.raises(RuntimeError) as caught:
        wrapped(chain)
    assert str(find_input_error(caught.value)) == "the file is missing"


def test_an_input_error_finds_itself():
    error = InputError("x")
    assert find_input_error(error) is error


def test_other_errors_stay_what_they_are():
    assert find_input_error(KeyError("x")) is None
    assert find_input_error(None) is None


class Bad(Dataset):
    def __init__(self, chain):
        self.chain = chain

    def __len__(self):
        return 1

    def __getitem__(self, index):
        if self.chain is None:
            raise InputError("the file is missing")
        wrapped(self.chain)


@pytest.mark.parametrize("chain", [None, True, False])
def test_an_error_of_a_loaders_process_is_found_in_its_text(chain):
    with pytest.raises(RuntimeError if chain is not None else InputError, match="DataLoader worker process") as caught:
        list(DataLoader(Bad(chain), num_workers=1))
    assert str(find_input_error(caught.value)) == "the file is missing"


def raised_from(error):
    """Return an error that MONAI or ignite raised from another."""
    outer = RuntimeError("Failed to evaluate 'run'")
    outer.__cause__ = error
    return outer


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (InputError("expected a folder"), "expected a folder"),
        (OSError(errno.ENOSPC, "No space left on device", "/out/last.pt"), "No space left on device: /out/last.pt"),
        (OSError(errno.EROFS, "Read-only file system"), "Read-only file system"),
        (RuntimeError("[enforce fail] write: No space left on device\nmore"), "No space left on device"),
        (MemoryError(), "not enough memory (MemoryError); use smaller input"),
        (
            RuntimeError("CUDA out of memory. Tried to allocate 2 GiB\nmore"),
            "not enough memory (CUDA out of memory. Tried to allocate 2 GiB); use smaller input",
        ),
    ],
)
def test_what_a_user_can_mend_is_one_line_however_it_was_wrapped(error, line):
    assert describe_in_one_line(error) == line
    assert describe_in_one_line(raised_from(error)) == line


def test_an_interrupted_run_says_how_it_goes_on():
    assert describe_in_one_line(raised_from(KeyboardInterrupt())) == (
        "interrupted; what is finished is kept, and a training goes on with the same command and --resume true"
    )


@pytest.mark.parametrize("error", [KeyError("x"), OSError(errno.ENOENT, "No such file or directory"), ValueError("x")])
def test_a_defect_is_no_line(error):
    assert describe_in_one_line(error) is None


def test_the_hook_prints_the_line_alone_or_the_traceback(capsys):
    show_input_errors_in_one_line(InputError, InputError("expected a folder"), None)
    assert capsys.readouterr().err == "error: expected a folder\n"
    show_input_errors_in_one_line(KeyError, KeyError("ours"), None)
    assert capsys.readouterr().err == "KeyError: 'ours'\n"
