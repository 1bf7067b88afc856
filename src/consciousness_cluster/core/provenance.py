"""What made a result: versions, git state, the resolved experiment."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import subprocess
from pathlib import Path
from typing import Any

from .io import write_text


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


def write_experiment(
    experiment: dict[str, Any], battery: dict[str, str | None], targets: list[str], tables: list[str], output: str
) -> None:
    """Write the resolved experiment with all defaults, its targets, and what made its tables, as JSON.

    Args:
        experiment: the resolved experiment.
        battery: name, version and hash of the instrument (`config.battery.describe_battery`).
        targets: their paths.
        tables: the tables that were just made or found up to date; a hash of each says which ones git state and
            versions speak of.
        output: the JSON file.
    """
    packages = ("snakemake", "torch", "transformers", "peft", "pandas", "scipy", "pydantic")
    folder = Path(output).parent
    content = {
        "experiment": experiment,
        "battery": battery,
        "targets": targets,
        "versions": versions(*packages),
        "git": git_state(Path.cwd()),
        "tables": {Path(table).relative_to(folder).as_posix(): _short_hash(Path(table)) for table in tables},
    }
    write_text(output, json.dumps(content, indent=2) + "\n")


def _short_hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
