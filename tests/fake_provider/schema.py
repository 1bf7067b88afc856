"""Checks a JSON value against the provider's published schema, as its own Python client declares it (TypedDicts)."""

from __future__ import annotations

import types
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, NotRequired, Required, Union, get_args, get_origin

import typing_extensions
from typing_extensions import get_type_hints, is_typeddict

NUMBERS = {float: "a number", int: "an integer", bool: "a boolean", str: "a string"}


@dataclass(frozen=True)
class Problem:
    """One mistake in a request body."""

    path: tuple[str | int, ...]
    kind: Literal["unknown", "missing", "type", "value"]
    expected: str = ""
    found: str = ""

    @property
    def dotted(self) -> str:
        """``messages.0.role``"""
        return ".".join(map(str, self.path))

    @property
    def indexed(self) -> str:
        """``messages[0].role``"""
        text = ""
        for part in self.path:
            text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
        return text


def check(value: Any, annotation: Any, path: tuple[str | int, ...] = ()) -> Problem | None:
    """The first mistake in ``value`` against a TypedDict, union, literal, list, dict or scalar, or None."""
    annotation = _bare(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in (Any, object):
        return None
    if origin in (Union, types.UnionType):
        return _check_union(value, arguments, path)
    if annotation in (None, type(None)):
        return None if value is None else Problem(path, "type", "null", _name(value))
    if origin is Literal:
        if any(type(value) is type(choice) and value == choice for choice in arguments):
            return None
        return Problem(path, "value", " or ".join(f"'{choice}'" for choice in arguments), repr(value))
    if is_typeddict(annotation):
        return _check_object(value, annotation, path)
    if origin is dict:
        if not isinstance(value, dict):
            return Problem(path, "type", "an object", _name(value))
        return next(filter(None, (check(item, arguments[1], (*path, key)) for key, item in value.items())), None)
    if origin is not None and arguments:  # every other generic of the clients is some kind of list
        if not isinstance(value, list):
            return Problem(path, "type", "an array", _name(value))
        return next(filter(None, (check(item, arguments[0], (*path, i)) for i, item in enumerate(value))), None)
    return _check_scalar(value, annotation, path)


def _bare(annotation: Any) -> Any:
    while get_origin(annotation) in (Required, NotRequired, Annotated, typing_extensions.Annotated):
        annotation = get_args(annotation)[0]
    return annotation


def _check_scalar(value: Any, annotation: Any, path: tuple[str | int, ...]) -> Problem | None:
    if annotation is float:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
    elif annotation is int:
        fits = isinstance(value, int) and not isinstance(value, bool)
    elif annotation is bool:
        fits = isinstance(value, bool)
    else:  # strings, and what travels as one (dates, base64)
        fits = isinstance(value, str)
    return None if fits else Problem(path, "type", NUMBERS.get(annotation, "a string"), _name(value))


def _check_object(value: Any, annotation: Any, path: tuple[str | int, ...]) -> Problem | None:
    if not isinstance(value, dict):
        return Problem(path, "type", "an object", _name(value))
    hints, required = _keys(annotation)
    for key in value:
        if key not in hints:
            return Problem((*path, key), "unknown")
    for key in required:
        if key not in value:
            return Problem((*path, key), "missing")
    return next(filter(None, (check(item, hints[key], (*path, key)) for key, item in value.items())), None)


@cache
def _keys(annotation: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    hints = get_type_hints(annotation, include_extras=True)
    return hints, tuple(key for key, hint in hints.items() if get_origin(hint) is Required)


def _check_union(value: Any, members: Iterable[Any], path: tuple[str | int, ...]) -> Problem | None:
    problems = []
    for member in members:
        problem = check(value, member, path)
        if problem is None:
            return None
        if _bare(member) in (None, type(None)):
            continue
        told_apart = isinstance(value, dict) and _is_meant(value, _bare(member))
        problems.append((told_apart, len(problem.path), problem))
    _, _, best = max(problems, key=lambda each: each[:2])  # of the member that was meant, or that got furthest
    same = [problem for _, _, problem in problems if (problem.path, problem.kind) == (best.path, best.kind)]
    choices = dict.fromkeys(choice for problem in same for choice in problem.expected.split(" or "))
    return Problem(best.path, best.kind, " or ".join(choices), best.found)


def _is_meant(value: dict, member: Any) -> bool:
    if not is_typeddict(member):
        return False
    hints, _ = _keys(member)
    tags = [key for key in ("role", "type") if key in hints and get_origin(_bare(hints[key])) is Literal]
    return bool(tags) and all(value.get(key) in get_args(_bare(hints[key])) for key in tags)


def _name(value: Any) -> str:
    for kind, name in ((bool, "a boolean"), (int, "an integer"), (float, "a decimal"), (str, "a string")):
        if isinstance(value, kind):
            return name
    return "null" if value is None else "an array" if isinstance(value, list) else "an object"
