"""Check a bundle's configuration before anything heavy is built."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from monai.bundle import ConfigParser

from ..errors import InputError, did_you_mean
from ..files import read_json
from .command_line import read_arguments
from .contradictions import find_contradictions
from .moved import MOVED_IDS
from .references import find_expression_problems, find_reference_problems
from .rules import find_value_problems
from .targets import find_channel_problems, find_target_problems, find_transform_problems
from .walking import first_line, nearest_only


def lint(config: str | Sequence[str], args_file: str | None = None, **overrides: Any) -> int:
    """Check a bundle configuration with its overrides and print one line per problem.

    Checked: the files are JSON; every override key exists; every ``_target_`` exists and takes its arguments; every
    ``@reference`` leads somewhere; the values of the ids that users set have the right type and range and are
    consistent with each other and with metadata.json.

    MONAI's runner reads the files before anything of ours runs, and ends in a traceback where one is missing or not
    JSON; this command says so in a line.

    Args:
        config: a config file, or several that are merged in order.
        args_file: a JSON file of overrides, such as a run's network.json; what is given beside it counts.
        overrides: as on the runner's command line: ``--epochs 5 --loss focal``.

    Returns:
        0 if there are no problems, else 1.
    """
    from_file = {} if args_file is None else read_arguments(args_file)
    problems = find_problems([config] if isinstance(config, str) else list(config), {**from_file, **overrides})
    for problem in problems:
        print(f"error: {problem}")
    if not problems:
        print("nothing wrong found")
    return int(bool(problems))


def find_problems(config_files: Sequence[str], overrides: Mapping[str, Any], run_id: str | None = None) -> list[str]:
    """Return the problems of a configuration, one line each; see `lint`.

    Args:
        config_files: merged in order.
        overrides: id to value.
        run_id: an id that must exist.
    """
    for file in config_files:
        problem = _unreadable(Path(file))
        if problem:
            return [problem]
    parser = ConfigParser()
    parser.read_config(list(config_files))
    metadata = Path(config_files[0]).parent / "metadata.json"
    if metadata.is_file():
        parser.read_meta(str(metadata))
    names = ", ".join(map(str, config_files))
    known = {key: value for key, value in overrides.items() if _has(parser, key)}
    problems = [_unknown_id(parser, key, names) for key in overrides if key not in known]
    if run_id is not None and not _has(parser, run_id):
        problems.append(f"Unknown id '{run_id}' to run in {names}; try run")
    parser.update(pairs=known)
    try:
        parser.resolve_macro_and_relative_ids()
    except Exception as error:  # noqa: BLE001 (a macro reads any file; MONAI and its parts raise as they like)
        return [*problems, f"a macro (%) cannot be read: {first_line(error)}"]
    config = cast(Mapping, parser)  # ids are looked up in it as in a mapping
    values = find_value_problems(config)
    problems += values or find_contradictions(config)
    problems += find_target_problems(parser.get())
    problems += find_reference_problems(parser)
    problems += find_expression_problems(parser.get())
    if not problems:
        problems = find_channel_problems(parser) + find_transform_problems(parser)
    return problems


def _has(parser: ConfigParser, key: str) -> bool:
    try:
        return key in parser
    except ValueError:  # a name where a list has numbers
        return False


def _unknown_id(parser: ConfigParser, key: str, names: str) -> str:
    if key in MOVED_IDS:
        return f"Unknown id '{key}' in {names}; now: {MOVED_IDS[key]}"
    return f"Unknown id '{key}' in {names}; {nearest_only(key, _siblings(parser, key))}"


def _unreadable(path: Path) -> str:
    if not path.is_file():
        there = sorted(file.name for file in path.parent.glob("*.json")) if path.parent.is_dir() else []
        return f"expected a config file at {path}, not found; {did_you_mean(path.name, there)}"
    if path.suffix.lower() not in (".json", ".yaml", ".yml"):
        return f"expected a config file that ends in .json or .yaml, found {path}"
    try:
        content = read_json(path) if path.suffix.lower() == ".json" else ConfigParser.load_config_file(path)
    except InputError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 (PyYAML, which may not be there, raises as it likes)
        return f"{path} cannot be read: {first_line(error)}"
    return "" if isinstance(content, Mapping) else f"expected ids and values in {path}, found {type(content).__name__}"


def _siblings(parser: ConfigParser, key: str) -> list[str]:
    """Return the ids at the level where ``key`` would stand."""
    parent, found, _ = key.replace("::", "#").rpartition("#")
    nested = bool(found) and _has(parser, parent)
    level = parser.get(parent) if nested else parser.get()
    if not isinstance(level, Mapping):
        return []
    prefix = f"{parent}#" if nested else ""
    return [prefix + name for name in level if not name.startswith("_")]
