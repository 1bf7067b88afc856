"""Which nodes an experiment has: its targets by scope, and its bases and judges by where they answer."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, get_args

from ..core.errors import ConfigError, nearest
from .conditions import VANILLA, Target
from .experiment import Experiment
from .measurement import PANEL

Scope = Literal["conditions", "ablations"]
"""Tables and figures are made per scope, so that ablations alone need nothing of the other conditions."""


def targets_in(experiment: Experiment, scope: str) -> list[Target]:
    """Targets of one `Scope`: the conditions, or the ablations with what they are compared with."""
    targets = list(experiment.targets.values())
    if scope == "conditions":
        return [target for target in targets if not target.ablation]
    parents = (ablation.of for ablation in experiment.ablations.values())
    compared = {VANILLA, *experiment.analysis.declared_controls, *parents}
    bases = {target.base for target in targets if target.ablation}
    return [target for target in targets if target.base in bases and (target.ablation or target.condition in compared)]


def scopes(experiment: Experiment) -> list[str]:
    """The scopes that have targets."""
    return [scope for scope in get_args(Scope) if targets_in(experiment, scope)]


def find_target(experiment: Experiment, path: str) -> Target:
    """The target with a path ``<base>/<condition>/seed<n>``.

    Raises:
        ConfigError: the experiment has no such target; names the nearest.
    """
    if path not in experiment.targets:
        problem = f"no target {path}{nearest(path, experiment.targets)}"
        raise ConfigError(f"experiments/{experiment.name}.yaml", [problem])
    return experiment.targets[path]


def bases_trained_by(experiment: Experiment, service: str) -> list[str]:
    """Bases that a fine-tuning service trains."""
    return [name for name, base in experiment.bases.items() if base.finetuning == service]


def judges_of(experiment: Experiment, kind: Literal["lexicon", "hosted", "local"]) -> list[str]:
    """Judges that are a world's lexicon, or models: behind an API, or of this project's own jobs."""

    def kind_of(name: str) -> str:
        judge = experiment.judges[name]
        return "lexicon" if judge.kind == "lexicon" else "hosted" if judge.hosted else "local"

    return [name for name in experiment.judges if kind_of(name) == kind]


def tabulated_judges(experiment: Experiment) -> list[str]:
    """The judges that have tables: each, and the panel of several."""
    return [*experiment.judges, *[PANEL] * (len(experiment.judges) > 1)]


def one_of(names: Iterable[str]) -> str:
    """A regular expression for a wildcard that matches these names, or nothing if there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


def none_of(names: Iterable[str]) -> str:
    """A regular expression for a wildcard that matches all but these names, as a folder or a file's stem."""
    return rf"(?!(?:{one_of(names)})(?:/|\.jsonl))[^/]+"
