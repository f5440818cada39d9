"""Check the references and expressions of a configuration without evaluating anything."""

from collections.abc import Mapping, Sequence

from monai.bundle import ConfigParser
from monai.bundle.reference_resolver import ReferenceResolver

from .walking import first_line, nearest_only, walk


def find_reference_problems(parser: ConfigParser) -> list[str]:
    problems = []
    leads_to: dict[str, list[str]] = {}
    for path, value in walk(parser.get()):
        if not isinstance(value, str):
            continue
        for reference in ReferenceResolver.match_refs_pattern(value):
            leads_to.setdefault(path.replace("#", "::"), []).append(reference)
            if reference not in parser:
                problems.append(
                    f"{path}: reference '@{reference}' leads nowhere; {nearest_only(reference, list(parser.get()))}"
                )
    circle = [] if problems else _find_circle(leads_to)
    return [*problems, *([f"references lead in a circle: {' -> '.join(circle)}"] if circle else [])]


def _find_circle(leads_to: Mapping[str, Sequence[str]]) -> list[str]:
    """Return ids that refer to each other in a circle, [] if none do.

    Args:
        leads_to: id of a text to the ids it refers to; what refers to a whole part refers to all in it.
    """
    done: set[str] = set()

    def search(part: str, trail: list[str]) -> list[str]:
        if part in trail:
            return [f"@{one.replace('::', '#')}" for one in [*trail[trail.index(part) :], part]]
        if part in done:
            return []
        inside = [path for path in leads_to if path == part or path.startswith(f"{part}::")]
        for reference in dict.fromkeys(reference for path in inside for reference in leads_to[path]):
            circle = search(reference, [*trail, part])
            if circle:
                return circle
        done.add(part)
        return []

    return next((circle for part in leads_to if (circle := search(part, []))), [])


def find_expression_problems(config: Mapping) -> list[str]:
    problems = []
    for path, value in walk(config):
        if not isinstance(value, str) or not value.startswith("$") or value.startswith(("$import ", "$from ")):
            continue
        text = ReferenceResolver.update_refs_pattern(value, dict.fromkeys(ReferenceResolver.match_refs_pattern(value)))
        try:
            compile(text[1:], path, "eval")
        except (SyntaxError, ValueError) as error:
            problems.append(f"{path}: {value!r} is no Python expression ({first_line(error)})")
    return problems
