"""Classify the ``$`` expressions of a bundle as wiring or code, without evaluating any."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from monai.bundle import ConfigParser
from monai.bundle.reference_resolver import ReferenceResolver

from .allowed import ATTRIBUTES, CALLS, DTYPES, IMPORTS, METHODS, METHODS_WITHOUT_ARGUMENTS, MODES, TAKEN_NAMES, VALUES
from .json_files import walk

REFERENCES = "__local_refs"  # what MONAI puts in the place of @
LONGEST = 1000  # characters; wiring is short, and Python's parser has limits of its own
PLAIN_NODES = (
    ast.Constant, ast.Subscript, ast.Slice, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.List,
    ast.Tuple, ast.Dict, ast.Set, ast.JoinedStr, ast.FormattedValue, ast.expr_context, ast.unaryop, ast.boolop,
    ast.cmpop, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod,
)  # fmt: skip
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)


@dataclass(frozen=True)
class Definitions:
    """Targets of references over all configurations of a bundle, any of which may be merged.

    Args:
        callables: ids that are in every definition a component that is not called at once (``_mode_: callable``).
        dtypes: ids that are in every definition the name of a floating point type.
    """

    callables: frozenset[str] = frozenset()
    dtypes: frozenset[str] = frozenset()


def find_definitions(configs: Sequence[Any]) -> Definitions:
    """Return what the ids of these configurations are."""
    found: dict[str, list[Any]] = {}
    for config in configs:
        for keys, value, _ in walk(config):
            found.setdefault("::".join(keys), []).append(value)

    def is_callable(value: Any) -> bool:
        return isinstance(value, Mapping) and "_target_" in value and value.get("_mode_") == MODES[1]

    return Definitions(
        frozenset(key for key, values in found.items() if all(map(is_callable, values))),
        frozenset(key for key, values in found.items() if all(isinstance(v, str) and v in DTYPES for v in values)),
    )


def is_plain(expression: str, key: str = "", definitions: Definitions | None = None) -> bool:
    """Return whether a ``$`` expression is only wiring.

    That is: references with some methods of strings, dictionaries, networks and engines; arithmetic, comparison,
    lists, comprehensions; the functions and values of `regionwise.packaging.allowed`; below the key ``imports`` an
    import of some modules under their own names. No reference leads to ``imports``, and so none to a module.

    Args:
        expression: with its ``$``.
        key: id of the expression, for references relative to it (``@#size``).
        definitions: of the bundle's ids.
    """
    if len(expression) > LONGEST:
        return False
    try:
        expression = ConfigParser.resolve_relative_ids(key, expression)
        references = ReferenceResolver.match_refs_pattern(expression)
        code = ReferenceResolver.update_refs_pattern(expression, references).removeprefix("$")
        tree = ast.parse(code.strip())
        if len(tree.body) != 1 or any(leads_to_imports(reference) for reference in references):
            return False
        statement = tree.body[0]
        if isinstance(statement, ast.Import | ast.ImportFrom):
            return key.partition("::")[0] == "imports" and _is_plain_import(statement)
        return isinstance(statement, ast.Expr) and _Wiring(definitions or Definitions()).allows(statement.value)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def leads_to_imports(reference: str) -> bool:
    """Return whether an id is that of imported modules, or of the whole configuration, which holds them."""
    return reference.split("::")[0] in ("", "imports")


def _is_plain_import(statement: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(statement, ast.ImportFrom) or len(statement.names) != 1:
        return False
    one = statement.names[0]
    return one.name in IMPORTS and (one.asname in (None, one.name) or (one.name, one.asname) == ("numpy", "np"))


class _Wiring:
    """The nodes of an expression that are allowed; names that comprehensions bind are those of ``bound``."""

    def __init__(self, definitions: Definitions, bound: frozenset[str] = frozenset()) -> None:
        self.definitions = definitions
        self.bound = bound

    def allows(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Call):
            return self._allows_call(node)
        if isinstance(node, COMPREHENSIONS):
            return self._allows_comprehension(node)
        if isinstance(node, ast.Attribute):
            return ast.unparse(node) in VALUES or (node.attr in ATTRIBUTES and self.allows(node.value))
        if isinstance(node, ast.Name):
            return node.id == REFERENCES or node.id in self.bound
        return isinstance(node, PLAIN_NODES) and all(map(self.allows, ast.iter_child_nodes(node)))

    def _allows_call(self, node: ast.Call) -> bool:
        arguments = [*node.args, *(word.value for word in node.keywords)]
        if any(word.arg is None for word in node.keywords) or not all(map(self.allows, arguments)):
            return self._is_dtype(node)
        if ast.unparse(node.func) in CALLS:
            return True
        if isinstance(node.func, ast.Attribute) and self.allows(node.func.value):
            methods = METHODS if arguments else METHODS | METHODS_WITHOUT_ARGUMENTS
            return node.func.attr in methods
        return _reference(node.func) in self.definitions.callables

    def _is_dtype(self, node: ast.Call) -> bool:
        """Return whether a call is ``getattr(torch, NAME)`` with the name of a floating point type."""
        if ast.unparse(node.func) != "getattr" or len(node.args) != 2 or node.keywords:
            return False
        module, name = node.args
        is_literal = isinstance(name, ast.Constant) and name.value in DTYPES
        return ast.unparse(module) == "torch" and (is_literal or _reference(name) in self.definitions.dtypes)

    def _allows_comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> bool:
        wiring = self
        for one in node.generators:
            names = [part.id for part in ast.walk(one.target) if isinstance(part, ast.Name)]
            kinds = all(isinstance(part, ast.Name | ast.Tuple | ast.expr_context) for part in ast.walk(one.target))
            if one.is_async or not kinds or TAKEN_NAMES & set(names) or REFERENCES in names:
                return False
            if not wiring.allows(one.iter):
                return False
            wiring = _Wiring(self.definitions, wiring.bound | set(names))
            if not all(map(wiring.allows, one.ifs)):
                return False
        parts = (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)
        return all(map(wiring.allows, parts))


def _reference(node: ast.AST) -> str | None:
    """Return the id of a reference, None for any other node."""
    if not (isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == REFERENCES):
        return None
    return cast(str, node.slice.value) if isinstance(node.slice, ast.Constant) else None
