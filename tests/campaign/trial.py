"""Trials: one bad input each, judged by what its user sees and by what is left on the disk."""

import contextlib
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

# Lines that say what is wrong: of a command, of one of many cases, and of a step of `verify`.
TOLD = re.compile(r"^(error: |bad case: |\S* *(failed|listed) )", re.MULTILINE)
# The class of an exception in a message is no word for a user.
BUG = re.compile(r"\b(Type|Value|Key|Index|Attribute|Name|Recursion|Assertion|Runtime|Overflow|Unicode\w*)Error\b")
# What a command that found bad cases may keep of the good ones.
KEPT = {"cases.csv"}


@dataclass(frozen=True)
class Trial:
    """One bad input and what came of it.

    Attributes:
        area: Row of the table.
        command: What repeats it.
        problem: Why it failed; "" if it held.
    """

    area: str
    command: str
    problem: str = ""


@dataclass(frozen=True)
class Ending:
    """How a command ended.

    Attributes:
        status: Exit status.
        out: What it printed.
        err: What it wrote to stderr.
        crash: Class and first line of an exception that it left to Python; "" if none.
    """

    status: int
    out: str = ""
    err: str = ""
    crash: str = ""


def run(function: Callable[..., int], *arguments: object) -> Ending:
    """Call what returns an exit status, and keep what it prints and raises."""
    out, err = io.StringIO(), io.StringIO()
    status, crash = 1, ""
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = function(*arguments)
        except (Exception, SystemExit) as error:  # noqa: BLE001 (an exception is what is looked for)
            crash = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return Ending(status, out.getvalue(), err.getvalue(), crash)


def files_of(folder: Path) -> dict[str, str]:
    """Return every file below a folder with a digest of its content."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest() for path in files}


def find_problem(
    ending: Ending,
    before: Mapping[str, str],
    after: Mapping[str, str],
    outputs: Sequence[str] = (),
    must_refuse: bool = True,
) -> str:
    """Return why an ending does not hold ("" if it does).

    Held is exit status 1 with a line that says what is wrong and nothing left behind or, where the input may be
    usable, status 0 with nothing written elsewhere than asked for. No file of an input may have changed either way.

    Args:
        ending: How the command ended.
        before: `files_of` the working folder before it.
        after: And after it.
        outputs: Names that it may write where it ends well.
        must_refuse: False where the input may be usable.
    """
    lost = next((name for name in before if after.get(name) != before[name]), None)
    added = [name for name in after if name not in before]
    told = ending.out + "\n" + ending.err
    if ending.crash or "Traceback (most recent call last)" in told:
        return f"traceback: {ending.crash or ending.err.strip().splitlines()[-1]}"
    if lost is not None:
        return f"data loss: {lost} has changed"
    if any(".writing-" in name for name in added):
        return "half-written files are left"
    if ending.status == 0:
        stray = [name for name in added if not name.startswith(tuple(outputs))]
        return "accepted" if must_refuse else f"wrote {stray[0]}" if stray else ""
    left = [name for name in added if Path(name).name not in KEPT]
    if ending.status != 1 or left:
        return f"exit status {ending.status}" if ending.status != 1 else f"left {left[0]} behind"
    if not TOLD.search(told):
        return "no line says what is wrong"
    bug = BUG.search(told)
    return f"names an exception: {bug.group()}" if bug else ""


def table(trials: Iterable[Trial]) -> str:
    """Return the table area | tried | held | failed, with a last row for the sum."""
    counts: dict[str, list[int]] = {}
    for trial in trials:
        row = counts.setdefault(trial.area, [0, 0])
        row[bool(trial.problem)] += 1
    counts["sum"] = [sum(row[place] for row in counts.values()) for place in (0, 1)]
    width = max(map(len, ["area", *counts]))
    lines = [f"| {'area':{width}} | tried | held | failed |", f"|{'-' * (width + 2)}|------:|-----:|-------:|"]
    for area, (held, failed) in counts.items():
        lines.append(f"| {area:{width}} | {held + failed:5} | {held:4} | {failed:6} |")
    return "\n".join(lines)
