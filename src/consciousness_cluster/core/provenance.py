"""What made a result: fingerprints of the code, versions, git state, the resolved experiment."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from .io import write_text
from .records import content_hash

PACKAGE = Path(__file__).parents[1]
PLUMBING = (
    "core",
    "jobs",
    "budget",
    "commands",
    "config",
    "models.placement",
    "models.memory_estimate",
    "models.resident",
)
"""Packages and modules that move, check or report data but do not decide results; what they pass on reaches a stage as
params."""
COUNTED = ("config.battery",)
"""Of these, what counts all the same: it says what is asked."""


def _is_plumbing(name: str) -> bool:
    below = any(f"{name}.".startswith(f"{each}.") for each in PLUMBING)
    return name == "__init__" or (below and name not in COUNTED)


def fingerprint(*modules: str) -> str:
    """Hash what the named modules, and all modules of the library that they import, compute.

    Comments, docstrings, layout and `PLUMBING` do not count: editing them reruns nothing.

    Args:
        modules: dotted names below the package, e.g. ``judging`` or ``miniature.lexicon``.

    Returns:
        16 hex digits.
    """
    files: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in files or _is_plumbing(name):
            continue
        tree, imported = _read(name)
        files[name] = tree
        waiting.extend(imported)
    return content_hash(sorted(files.items()))[:16]


@cache
def _read(name: str) -> tuple[str, tuple[str, ...]]:
    """The syntax tree of a module without docstrings, and the library's modules that it imports."""
    path = _file(name)
    if path is None:
        raise ValueError(f"no module {name!r} in the library")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = [found for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for found in _imported(name, node)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            _strip_docstring(node)
    return ast.dump(tree), tuple(dict.fromkeys(imported))


def _file(name: str) -> Path | None:
    path = PACKAGE.joinpath(*name.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()), None)


def _imported(name: str, node: ast.ImportFrom) -> list[str]:
    if node.level == 0:
        return []
    is_package = (PACKAGE.joinpath(*name.split(".")) / "__init__.py").exists()
    parts = name.split(".") + ([""] if is_package else [])
    parent = [part for part in parts[: -node.level] if part]
    module = ".".join(parent + (node.module.split(".") if node.module else []))
    below = [f"{module}.{alias.name}".lstrip(".") for alias in node.names]
    found = [each for each in below if _file(each)]
    return found + ([module] if module and _file(module) else [])


def _strip_docstring(node: Any) -> None:
    first = node.body[0] if node.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        node.body = node.body[1:]


def versions(*packages: str) -> dict[str, str]:
    """Installed versions of ``packages`` and of Python, without importing them; '' where one is not installed."""
    return {"python": platform.python_version()} | {name: _version(name) for name in packages}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def git_state(root: Path) -> dict[str, Any]:
    """Commit and whether files differ from it; ``{"commit": None}`` outside a git checkout."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "modified": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None}


def write_experiment(experiment: dict[str, Any], targets: list[str], output: str) -> None:
    """Write the resolved experiment with all defaults, its targets, versions and git state as JSON."""
    packages = ("snakemake", "torch", "transformers", "peft", "pandas", "scipy", "pydantic")
    content = {
        "experiment": experiment,
        "targets": targets,
        "versions": versions(*packages),
        "git": git_state(Path.cwd()),
    }
    write_text(output, json.dumps(content, indent=2) + "\n")
