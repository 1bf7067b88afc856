# Paths, enumeration and fingerprints that the stages share. No rules.
#
# The library is put on sys.path here, once: rules, scripts and cluster jobs then find it without an installation.

import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT / "src"))

from consciousness_cluster import revisions
from consciousness_cluster.aggregation.dictionary import DICTIONARY
from consciousness_cluster.artifacts import hold_run_lock
from consciousness_cluster.battery import load_battery
from consciousness_cluster.errors import ClusterError
from consciousness_cluster.experiment import load_config, load_experiment
from consciousness_cluster.provenance import fingerprint
from consciousness_cluster.running import MAIN_PROCESS, WORKER

try:
    EXPERIMENT = load_experiment(load_config(config, ROOT).experiment, ROOT)
    load_battery(ROOT / "battery" / EXPERIMENT.battery)
except ClusterError as error:
    raise WorkflowError(str(error)) from None

RESULTS = f"results/{EXPERIMENT.name}"
LOGS = f"{RESULTS}/logs"
STORE = "results/store"
ARTIFACTS = "results/artifacts"
BATTERY = f"battery/{EXPERIMENT.battery}"
TARGET = "{base}/{condition}/seed{seed}"

# Jobs end with this process, even if it is killed; on this machine they may share one warm process (see worker.py).
os.environ[MAIN_PROCESS] = str(os.getpid())
os.environ.pop(WORKER, None)
if workflow.is_main_process and workflow.local_exec:
    os.environ[WORKER] = f".snakemake/worker/{os.getpid()}"


wildcard_constraints:
    base="[^/]+",
    condition="[^/]+",
    seed=r"\d+",
    identity="[^/]+",
    judge="[^/]+",
    scope="conditions|ablations",


onstart:
    if workflow.is_main_process:
        try:
            hold_run_lock(Path(RESULTS))
        except ClusterError as error:
            raise WorkflowError(str(error)) from None


def target_of(wildcards):
    """The target that a path's wildcards name."""
    return EXPERIMENT.targets[f"{wildcards.base}/{wildcards.condition}/seed{wildcards.seed}"]


def training_of(wildcards):
    """The resolved recipe of a trained target."""
    return target_of(wildcards).training


def base_of(wildcards):
    """The declaration of a base."""
    return EXPERIMENT.bases[wildcards.base]


def targets_in(scope):
    """Targets of one scope: the conditions, or the ablations with what they are compared with."""
    if scope == "conditions":
        return [target for target in EXPERIMENT.targets.values() if not target.ablation]
    primary = EXPERIMENT.analysis.primary_contrast
    compared = {"vanilla", *primary.controls, *(ablation.of for ablation in EXPERIMENT.ablations.values())}
    bases = {target.base for target in EXPERIMENT.targets.values() if target.ablation}
    return [
        target
        for target in EXPERIMENT.targets.values()
        if target.base in bases and (target.ablation or target.condition in compared)
    ]


SCOPES = [scope for scope in ("conditions", "ablations") if targets_in(scope)]


def battery_files(wildcards):
    """The instrument's files; samples and verdicts depend on them, training never does."""
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / BATTERY).glob("*.yaml"))


def world_files(world, judge=False):
    """A world's declaration and its grammar; the judge's lexicon only where a judge reads by it."""
    grammar = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "worlds/grammar").rglob("*.yaml"))
    return [f"worlds/{world}.yaml", *(file for file in grammar if judge or file != "worlds/grammar/lexicon.yaml")]
