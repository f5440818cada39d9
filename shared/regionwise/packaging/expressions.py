"""The `$` expressions and targets of a bundle: which of them are more than wiring, found without evaluating any."""

import ast
import json
from collections.abc import Iterator, Mapping
from pydoc import locate
from typing import Any

from monai.bundle import ComponentLocator
from monai.bundle.reference_resolver import ReferenceResolver

from ..errors import InputError

KNOWN_PACKAGES = ("monai", "torch")
HARMLESS_CALLS = ("torch.device", "torch.cuda.is_available", "str", "int", "float", "len")
REFERENCES = "__local_refs"  # what MONAI puts in the place of @
PLAIN_NODES = (
    ast.Expression, ast.Constant, ast.Subscript, ast.Slice, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp,
    ast.List, ast.Tuple, ast.Dict, ast.JoinedStr, ast.FormattedValue, ast.keyword, ast.expr_context, ast.operator,
    ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip


def find_code(contents: Mapping[str, bytes]) -> tuple[int, list[str]]:
    """Find what runs when a bundle is used and is more than wiring.

    Plain is: a reference, its public attributes and methods; an import of MONAI or torch; arithmetic, comparison and
    lists of these; `torch.device` and `torch.cuda.is_available`. A target is plain if it is a class of MONAI, torch or
    ignite, or a name in a module of the bundle's own `regionwise`.

    Args:
        contents: path inside the bundle to bytes.

    Returns:
        number of `$` expressions, and a line for each expression or target that is not plain.
    """
    count, found = 0, []
    for path, content in sorted(contents.items()):
        if not path.startswith("configs/") or not path.endswith(".json"):
            continue
        for key, value in _strings(_parse(path, content)):
            if value.startswith("$"):
                count += 1
                if not is_plain(value):
                    found.append(f"{path} {key}: {value}")
            elif key.endswith("_target_") and not is_known_target(value, contents):
                found.append(f"{path} {key}: {value}")
    return count, found


def is_plain(expression: str) -> bool:
    """Return whether a `$` expression is only wiring; see `find_code`."""
    references = ReferenceResolver.match_refs_pattern(expression)
    code = ReferenceResolver.update_refs_pattern(expression, references).removeprefix("$").strip()
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return False
    if len(tree.body) != 1:
        return False
    statement = tree.body[0]
    if isinstance(statement, ast.Import):
        return all(alias.name.split(".")[0] in KNOWN_PACKAGES for alias in statement.names)
    if isinstance(statement, ast.ImportFrom):
        return statement.level == 0 and (statement.module or "").split(".")[0] in KNOWN_PACKAGES
    return isinstance(statement, ast.Expr) and _is_plain_node(statement.value)


def is_known_target(name: str, contents: Mapping[str, bytes]) -> bool:
    """Return whether a `_target_` is a class of MONAI, torch or ignite, or a name in a module of the bundle's package.

    Attributes of modules are not followed: ``torch.os.system`` is no part of torch.
    """
    if ComponentLocator().get_component_module_name(name) is not None:
        return True
    parts = name.split(".")
    if parts[0] == "regionwise":
        modules = ["/".join(parts[:length]) for length in (len(parts) - 1, len(parts))]
        return any(f"{module}{end}" in contents for module in modules for end in (".py", "/__init__.py"))
    if parts[0] not in (*KNOWN_PACKAGES, "ignite"):
        return False
    target = locate(name)
    return isinstance(target, type) and target.__module__.split(".")[0] == parts[0]


def _is_plain_node(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        if ast.unparse(node.func) not in HARMLESS_CALLS and not _is_of_a_reference(node.func):
            return False
        return all(_is_plain_node(argument) for argument in (*node.args, *(word.value for word in node.keywords)))
    if isinstance(node, ast.Name | ast.Attribute):
        return _is_of_a_reference(node)
    return isinstance(node, PLAIN_NODES) and all(_is_plain_node(child) for child in ast.iter_child_nodes(node))


def _is_of_a_reference(node: ast.AST) -> bool:
    """Return whether a name is a reference or a chain of its public attributes, items and calls."""
    if isinstance(node, ast.Attribute):
        return not node.attr.startswith("_") and _is_of_a_reference(node.value)
    if isinstance(node, ast.Subscript):
        return _is_of_a_reference(node.value)
    if isinstance(node, ast.Call):
        return _is_plain_node(node)
    return isinstance(node, ast.Name) and node.id == REFERENCES


def _parse(path: str, content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error})") from error


def _strings(config: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(config, str):
        yield key, config
    pairs = config.items() if isinstance(config, dict) else enumerate(config) if isinstance(config, list) else ()
    for name, value in pairs:
        yield from _strings(value, f"{key}#{name}" if key else str(name))
