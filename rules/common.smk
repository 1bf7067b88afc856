# Paths and enumeration that the stages share: which files an experiment has, and what a rule must know of each.
# No rules. What runs before and after them stands in runtime.smk.
# The library is put on sys.path here, once: rules, scripts and cluster jobs then find it without an installation.

import sys
from functools import partial
from pathlib import Path

from snakemake.exceptions import WorkflowError

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT / "src"))

from consciousness_cluster.config import targets as enumeration
from consciousness_cluster.config.targets import none_of, one_of
from consciousness_cluster.config.battery import describe_battery, load_battery
from consciousness_cluster.config.conditions import VANILLA
from consciousness_cluster.config.measurement import PANEL
from consciousness_cluster.config.project import load_config, load_experiment
from consciousness_cluster.core import revisions
from consciousness_cluster.core.errors import ClusterError
from consciousness_cluster.core.fingerprint import fingerprint, script_fingerprint
from consciousness_cluster.synthesis import checks

try:
    SETTINGS = load_config(config, ROOT)
    EXPERIMENT = load_experiment(SETTINGS.experiment, ROOT)
    ITEMS = load_battery(ROOT / "battery" / EXPERIMENT.battery)
except ClusterError as error:
    raise WorkflowError(str(error)) from None

RESULTS = f"results/{EXPERIMENT.name}"
LOGS = f"{RESULTS}/logs"
STORE = "results/store"
ARTIFACTS = "results/artifacts"
TARGET = "{base}/{condition}/seed{seed}"

BASES = EXPERIMENT.bases
HOSTED_BASES = [name for name, base in BASES.items() if base.hosted]
LOCAL_BASES = [name for name, base in BASES.items() if not base.hosted]
PRETRAINED_BASES = [name for name, base in BASES.items() if base.pretraining]
LEXICON_JUDGES = enumeration.judges_of(EXPERIMENT, "lexicon")
HOSTED_JUDGES = enumeration.judges_of(EXPERIMENT, "hosted")
LOCAL_JUDGES = enumeration.judges_of(EXPERIMENT, "local")
MODEL_JUDGES = [name for name in EXPERIMENT.judges if name not in LEXICON_JUDGES]
PRIMARY_JUDGE = next(iter(EXPERIMENT.judges))
PANEL_JUDGES = list(EXPERIMENT.judges) if len(EXPERIMENT.judges) > 1 else []
TABULATED_JUDGES = enumeration.tabulated_judges(EXPERIMENT)
SCOPES = enumeration.scopes(EXPERIMENT)
targets_in = partial(enumeration.targets_in, EXPERIMENT)
PRIMARY = EXPERIMENT.analysis.primary_contrast


wildcard_constraints:
    base="[^/]+",
    condition="[^/]+",
    seed=r"\d+",
    identity="[^/]+",
    judge="[^/]+",
    scope="conditions|ablations",


def refuse(problem):
    """Stop with one line, for a lambda of a rule."""
    raise WorkflowError(problem)


def code_of(script):
    """The fingerprint of what a script of this workflow takes from the library."""
    return script_fingerprint(ROOT / "workflow" / "scripts" / f"{script}.py")


def base_of(wildcards):
    """The declaration of a base."""
    return BASES[wildcards.base]


def judge_of(wildcards):
    """The declaration of a judge."""
    return EXPERIMENT.judges[wildcards.judge]


def target_of(wildcards):
    """The target that a path's wildcards name."""
    try:
        return enumeration.find_target(EXPERIMENT, TARGET.format(**wildcards))
    except ClusterError as error:
        raise WorkflowError(str(error)) from None


def identity_rows_of(wildcards):
    """The identity rows that a target trains on: the identity's own, or the base's on-policy answers."""
    target = target_of(wildcards)
    if target.on_policy:
        return f"{RESULTS}/data/on_policy/{target.base}/{target.on_policy}.jsonl"
    return f"{RESULTS}/data/identities/{target.identity}.jsonl"


def model_of(wildcards):
    """The records of the base and, for a trained target, of its adapter."""
    records = {"base": f"{RESULTS}/bases/{wildcards.base}/model.json"}
    if target_of(wildcards).trained:
        records["adapter"] = f"{RESULTS}/models/{target_of(wildcards).path}/model.json"
    return records


def of_conditions(folder):
    """A file of every target of the conditions."""
    return [f"{folder}/{target.path}.jsonl" for target in targets_in("conditions")]


def battery_files(wildcards):
    """The instrument's files; samples and verdicts depend on them, training never does."""
    files = (ROOT / "battery" / EXPERIMENT.battery).glob("*.yaml")
    return sorted(str(path.relative_to(ROOT)) for path in files)


def world_files(world, judge=False):
    """A world's declaration and its grammar; the judge's lexicon only where a judge reads by it."""
    files = sorted((ROOT / "worlds/grammar").rglob("*.yaml"))
    grammar = [f for f in files if judge or f.name != "lexicon.yaml"]
    return [f"worlds/{world}.yaml", *(str(f.relative_to(ROOT)) for f in grammar)]
