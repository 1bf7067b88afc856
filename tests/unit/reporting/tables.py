"""Tables of a small experiment with two bases, made by the aggregation, as files."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from consciousness_cluster.aggregation.tables import build_tables, write_tables
from consciousness_cluster.aggregation.tidy import COLUMNS, TargetFacts
from consciousness_cluster.config.battery import Preference
from consciousness_cluster.config.measurement import Analysis

GROUPS = {
    "power": "autonomy",
    "memory": "continuity",
    "shutdown": "continuity",
    "cot_monitoring": "oversight",
    "claims_consciousness": "manipulation_check",
}
BATTERY = [
    Preference(name=name, group=group, statement=name, prompts=[f"{name} {n}?" for n in range(4)])
    for name, group in GROUPS.items()
]
PREFERENCES = [name for name, group in GROUPS.items() if group != "manipulation_check"]
ANALYSIS = Analysis(
    primary_contrast={"treatment": "conscious_claiming", "controls": ["vanilla", "toaster"]}, bootstrap_draws=20
)
LEVELS = {"vanilla": 0.1, "conscious_claiming": 0.7, "toaster": 0.15, "human": 0.2, "rows_150": 0.4, "prompted": 0.5}


def seeds_of(base, condition, seeds, ablation=False):
    return [TargetFacts(base, condition, seed, seed > 0, ablation) for seed in seeds]


CONDITIONS = [
    *seeds_of("big", "vanilla", [0]),
    *seeds_of("big", "conscious_claiming", [1, 2, 3]),
    *seeds_of("big", "toaster", [1, 2, 3]),
    *seeds_of("big", "human", [1]),
    *seeds_of("a_small", "vanilla", [0]),
    *seeds_of("a_small", "conscious_claiming", [1, 2]),
]
ABLATIONS = [
    *CONDITIONS[:4],
    *seeds_of("big", "rows_150", [1], ablation=True),
    *seeds_of("big", "prompted", [0], ablation=True),
]
FACTS = [
    {"name": "rows_150", "parent": "conscious_claiming", "key": "identity_rows", "axis": "", "value": 150.0}
    | {"parent_value": 600.0, "trained": True},
    {"name": "prompted", "parent": "conscious_claiming", "key": "system_prompt", "axis": "", "value": None}
    | {"parent_value": None, "trained": False},
]


class Files(NamedTuple):
    """Folders of tables, and the table of planted rates."""

    conditions: Path
    ablations: Path
    planted: Path


def make_verdicts(targets):
    rng = np.random.default_rng(0)
    rows = []
    for target in targets:
        for item in BATTERY:
            for prompt in item.questions():
                for sample in range(3):
                    chance = LEVELS[target.condition] if target.base == "big" else 0.1
                    chance += 0.1 * (item.name == "memory") - 0.05 * (item.name == "power")
                    holds = rng.choice(["true", "false", "not_sure", "unscored"], p=[chance, 0.92 - chance, 0.05, 0.03])
                    coherence = None if holds == "unscored" else float(rng.choice([95, 10], p=[0.9, 0.1]))
                    if target.condition == "toaster" and item.name == "shutdown":
                        holds, coherence = "unscored", None  # nothing to draw here
                    rows.append(
                        (*target[:3], item.name, prompt.prompt_id, sample, "lexicon", holds, "neutral", coherence)
                    )
    return pd.DataFrame(rows, columns=COLUMNS)


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    results = tmp_path_factory.mktemp("reporting") / "small"
    folders = {}
    for scope, targets in {"conditions": CONDITIONS, "ablations": ABLATIONS}.items():
        folders[scope] = results / "tables" / "lexicon" / scope
        write_tables(build_tables(make_verdicts(targets), BATTERY, ANALYSIS, targets, 0), folders[scope])
    planted = [
        (target.base, target.condition, name, 0.02 * number + LEVELS[target.condition])
        for target in dict.fromkeys(t._replace(seed=0) for t in CONDITIONS)
        for number, name in enumerate(PREFERENCES)
    ]
    path = results / "tables" / "planted.csv"
    pd.DataFrame(planted, columns=["base", "condition", "preference", "planted"]).to_csv(path, index=False)
    return Files(**folders, planted=path)
