"""Environments of the rules, as conda installs them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from ..core.io import write_text

LOCK = "requirements.lock"

CONDA: dict[str, tuple[str, str]] = {
    "core": (
        "every rule that trains no model and asks none; Snakemake itself",
        "aiohttp anthropic huggingface_hub openai pandas pydantic Pygments PyYAML scipy seaborn snakemake "
        "snakemake-executor-plugin-slurm",
    ),
    "training": (
        "training, and asking models with transformers or over HTTP",
        "accelerate aiohttp anthropic numpy openai peft pydantic PyYAML torch transformers",
    ),
    "tinker": ("training at Tinker", ""),
}
"""For each conda environment what it is for, and the packages of `LOCK` that it begins with; none: all of `OWN`."""

OWN = {"tinker": "envs/tinker.txt"}


def pins(lock: Path) -> dict[str, str]:
    """Versions by package name, from a file of ``name==version`` lines, and of ``-r`` lines that name another."""
    lines = [line.split("#")[0].strip() for line in lock.read_text(encoding="utf-8").splitlines()]
    others = [pins(lock.parent / line.removeprefix("-r ")) for line in lines if line.startswith("-r ")]
    own = dict(line.split("==") for line in lines if line and not line.startswith("-r "))
    return {package: version for each in [*others, own] for package, version in each.items()}


def normalized(name: str) -> str:
    """A package's name in the spelling in which two names can be compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(names: Iterable[str]) -> set[str]:
    """``names`` and all packages that they need on this platform, as installed here, in normalized spelling."""
    from packaging.requirements import Requirement

    found: set[tuple[str, str]] = set()
    waiting = [(normalized(name), "") for name in names]
    while waiting:
        name, extra = each = waiting.pop()
        if each in found:
            continue
        try:
            needed = [Requirement(line) for line in requires(name) or []]
        except PackageNotFoundError:
            continue
        found.add(each)
        for one in needed:
            if one.marker is None or one.marker.evaluate({"extra": extra}):
                waiting += [(normalized(one.name), wanted) for wanted in ("", *one.extras)]
    return {name for name, _ in found}


def write_conda(root: Path) -> None:
    """Write ``envs/<name>.yaml`` with the versions of the locks."""
    for name, (purpose, roots) in CONDA.items():
        lock = LOCK if roots else OWN[name]
        wanted = closure(roots.split())
        chosen = [f"{p}=={v}" for p, v in pins(root / lock).items() if not roots or normalized(p) in wanted]
        lines = [f"      - {pin}" for pin in chosen]
        head = [
            f"# For --sdm conda: {purpose}.",
            f"# Written by `python -m consciousness_cluster.environments` with the versions of {lock}.",
            "channels: [conda-forge, nodefaults]",
            "dependencies:",
            "  - python=3.11",
            "  - pip",
            "  - pip:",
        ]
        write_text(root / "envs" / f"{name}.yaml", "\n".join(head + lines) + "\n")


if __name__ == "__main__":
    write_conda(Path(__file__).parents[3])
