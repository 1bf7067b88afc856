"""What the code of a stage computes, as a hash: it moves with the algorithm and with nothing else.

Snakemake sees the scripts of a workflow but not the library behind them. A stage therefore carries the fingerprint of
the function that its script runs: of that function and of everything in the library that it reaches, by name, from
definition to definition. Comments, docstrings, layout, type annotations of functions, and what a module holds beside
that do not count; nor does `PLUMBING`. The hash is the same on every Python version that the project supports.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from .records import content_hash

PACKAGE = Path(__file__).parents[1]
PLUMBING = ("core", "jobs", "budget", "inference.complete", "inference.leases", "inference.store")
"""What moves, checks, keeps or prices data and decides no result."""
DYNAMIC = re.compile(rf"{PACKAGE.name}\.([\w.]+):(\w+)")
"""A function named in a string, as `jobs.entry.run` takes it."""
DROPPED = {"ctx", "kind", "type_comment", "type_ignores", "type_params", "lineno", "col_offset"}
"""Fields of syntax trees that say nothing, or that only some Python versions have."""

Place = tuple[str, str]
"""A module below the package, and a name in it ('' for the module itself)."""


@dataclass(frozen=True)
class _Module:
    """One module: its definitions by name, what it imports from the library, and statements run for their effect."""

    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, Place] = field(default_factory=dict)
    effects: list[ast.stmt] = field(default_factory=list)


def fingerprint(*functions: str) -> str:
    """Hash what the named functions or classes compute.

    Args:
        functions: ``module:name`` below the package, e.g. ``synthesis.mix:build_mix``.

    Returns:
        16 hex digits.

    Raises:
        ValueError: there is no such function.
    """
    return _hash_of([_existing(function) for function in functions])


def script_fingerprint(script: Path) -> str:
    """The same of a workflow script: of all that it takes from the library to run or to hand over."""
    tree = ast.parse(script.read_text(encoding="utf-8"))
    imports = dict(_imports(tree, ""))
    return _hash_of(_references(tree.body, _Module(imports=imports), ""))


def _existing(function: str) -> Place:
    module, _, name = function.partition(":")
    if _file(module) is None or name not in _read(module).definitions:
        raise ValueError(f"no function {function!r} in the library")
    return module, name


def _hash_of(roots: Iterable[Place]) -> str:
    seen: set[Place] = set()
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        place = waiting.pop()
        if place in seen or any(f"{place[0]}.".startswith(f"{each}.") for each in PLUMBING):
            continue
        seen.add(place)
        code, references = _definition(*place)
        found.update(code)
        waiting.extend(references)
    return content_hash(sorted(found))[:16]


@cache
def _definition(module: str, name: str) -> tuple[list[str], list[Place]]:
    """The code behind a name, in a form that can be compared, and what it refers to."""
    read = _read(module)
    if name in read.imports and name not in read.definitions:  # a package that passes it on
        return [], [read.imports[name]]
    statements = [*read.definitions.get(name, ()), *read.effects]
    return [repr(_plain(each)) for each in statements], list(dict.fromkeys(_references(statements, read, module)))


def _references(statements: Iterable[ast.stmt], module: _Module, name: str) -> Iterator[Place]:
    """Places that ``statements`` of the module called ``name`` refer to."""
    nodes = [node for statement in statements for node in ast.walk(statement)]
    known = module.imports | dict(place for node in nodes for place in _imports(node, name))
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            place = known.get(node.value.id)
            if place and not place[1]:  # a module: what is meant is in it
                yield place[0], node.attr
        elif isinstance(node, ast.Name):
            if node.id in known:
                if known[node.id][1]:
                    yield known[node.id]
            elif node.id in module.definitions:
                yield name, node.id
        elif isinstance(node, ast.Constant) and (match := DYNAMIC.fullmatch(str(node.value))):
            yield match[1], match[2]


@cache
def _read(name: str) -> _Module:
    path = _file(name)
    if path is None:
        raise ValueError(f"no module {name!r} in the library")
    module = _Module()
    for statement in _parse(path.read_text(encoding="utf-8")):
        module.imports.update(_imports(statement, name))
        if isinstance(statement, ast.Import | ast.ImportFrom):
            continue
        names = list(_defined(statement))
        for each in names:
            module.definitions.setdefault(each, []).append(statement)
        if not names and isinstance(statement, ast.Expr) and not isinstance(statement.value, ast.Constant):
            module.effects.append(statement)
    return module


@cache
def _parse(text: str) -> list[ast.stmt]:
    """The statements of a module, without what does not count."""
    return [_bare(statement) for statement in ast.parse(text).body]


def _defined(statement: ast.stmt) -> Iterator[str]:
    """Names that a statement of a module defines."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        yield from (node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name))
    elif isinstance(statement, ast.If | ast.Try | ast.With | ast.For):
        yield from (
            name for node in ast.iter_child_nodes(statement) if isinstance(node, ast.stmt) for name in _defined(node)
        )


def _imports(node: ast.AST, name: str) -> Iterator[tuple[str, Place]]:
    """What an import (within ``node``, for a statement of a module) brings in from the library, by its local name."""
    for each in ast.walk(node) if isinstance(node, ast.Module | ast.If | ast.Try) else [node]:
        if isinstance(each, ast.ImportFrom) and (source := _source(each, name)) is not None:
            for alias in each.names:
                below = f"{source}.{alias.name}".lstrip(".")
                yield alias.asname or alias.name, (below, "") if _file(below) else (source, alias.name)


def _source(node: ast.ImportFrom, name: str) -> str | None:
    """The module below the package that an import names; None if it is not the library's."""
    if node.level == 0:
        found = re.fullmatch(rf"{PACKAGE.name}\.?(.*)", node.module or "")
        return found[1] if found else None
    parts = name.split(".")
    if not (PACKAGE.joinpath(*parts) / "__init__.py").exists():
        parts = parts[:-1]
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, *([node.module] if node.module else [])])


@cache
def _file(name: str) -> Path | None:
    path = PACKAGE.joinpath(*name.split(".")) if name else PACKAGE
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()), None)


def _bare(statement: ast.stmt) -> ast.stmt:
    """``statement``, in place without docstrings and without annotations of functions and local variables."""
    for node in ast.walk(statement):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
            arguments = node.args
            for each in [
                *arguments.posonlyargs,
                *arguments.args,
                *arguments.kwonlyargs,
                arguments.vararg,
                arguments.kwarg,
            ]:
                if each is not None:
                    each.annotation = None
            for inner in ast.walk(node):
                if isinstance(inner, ast.AnnAssign):
                    inner.annotation = ast.Constant(None)
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [each for each in body if not _is_docstring(each)]  # type: ignore[attr-defined]
    return statement


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _plain(node: object) -> object:
    """A syntax tree as nested tuples that are the same on every Python version: empty fields left out."""
    if isinstance(node, ast.JoinedStr):  # versions differ in how they cut an f-string's text
        return ("JoinedStr", tuple(_joined(node.values)))
    if isinstance(node, ast.AST):
        fields = [(name, _plain(value)) for name, value in ast.iter_fields(node) if name not in DROPPED]
        return (type(node).__name__, *((name, value) for name, value in fields if value not in (None, ())))
    if isinstance(node, list):
        return tuple(_plain(each) for each in node)
    return None if node is None else (type(node).__name__, repr(node))


def _joined(values: list[ast.expr]) -> Iterator[object]:
    text = ""
    for value in values:
        if isinstance(value, ast.Constant):
            text += str(value.value)
            continue
        if text:
            yield text
        text = ""
        yield _plain(value)
    if text:
        yield text
