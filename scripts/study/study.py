#!/usr/bin/env python
"""The jobs of a study, one command each; `Snakefile` calls them, and so can a person.

python scripts/study/study.py check --out OUT                           losses, settings, folders
python scripts/study/study.py prepare|train|evaluate --out OUT ...      as the workflow calls them
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "shared")]

from regionwise.errors import InputError  # noqa: E402  (the path is set above)


def main(words: Sequence[str] | None = None) -> int:
    """Run one job; bad input is one line on stderr and status 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", choices=("check", "prepare", "train", "evaluate", "compare", "report", "unfinished"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", default="")
    parser.add_argument("--dataset", default="")
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--cell", default="")
    parser.add_argument("--spec", type=json.loads, default={})
    given = parser.parse_args(words)
    try:
        _run(given)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {error.strerror or error}: {error.filename}", file=sys.stderr)
        return 1
    return 0


def _run(given: argparse.Namespace) -> None:
    # A job imports what it needs: PyTorch takes seconds, and the training is a process of its own.
    if given.job == "prepare":
        from jobs import prepare

        prepare(given.out.resolve(), given.dataset, given.fold, given.data, given.spec)
    elif given.job == "compare":
        from results import compare

        compare(given.out.resolve(), given.dataset)
    elif given.job == "report":
        from page import report

        report(given.out.resolve())
    elif given.job == "unfinished":
        from runs import unfinished

        print("\n".join(unfinished(given.out.resolve())))
    elif given.job == "check":
        from check import check

        check(given.out.resolve())
    else:
        from evaluation import evaluate
        from jobs import progress, train

        job = train if given.job == "train" else evaluate
        job(given.out.resolve(), given.dataset, given.fold, given.data, given.cell, given.spec)
        if given.job == "evaluate":
            print(progress(given.out), flush=True)


if __name__ == "__main__":
    sys.exit(main())
