# Paths, enumeration and fingerprints that the stages share. No rules.
#
# The library is put on sys.path here, once: rules, scripts and cluster jobs then find it without an installation.

import os
import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT / "src"))

from consciousness_cluster.core import revisions
from consciousness_cluster.aggregation.dictionary import DICTIONARY
from consciousness_cluster.jobs.run_lock import check_run, hold_run_lock, name_run
from consciousness_cluster.config.battery import load_battery
from consciousness_cluster.budget.quotes import check_prices
from consciousness_cluster.budget.ledger import FOLDER as LEDGER
from consciousness_cluster.commands.receipt import write_receipt
from consciousness_cluster.jobs.environments import (
    check_module,
    has_module,
    module_name,
    offer_modules,
)
from consciousness_cluster.core.errors import ClusterError, nearest
from consciousness_cluster.config.measurement import PANEL
from consciousness_cluster.config.project import load_config, load_experiment
from consciousness_cluster.finetuning.openai_jobs import recipe_of
from consciousness_cluster.judging.lexicon_judge import check_readable
from consciousness_cluster.config.api_keys import unset_keys
from consciousness_cluster.core.io import read_yaml
from consciousness_cluster.core.provenance import fingerprint
from consciousness_cluster.reporting.ablation_axes import ablation_facts
from consciousness_cluster.jobs.entry import WORKER
from consciousness_cluster.jobs.process import MAIN_PROCESS
from consciousness_cluster.jobs.slurm import with_ends
from consciousness_cluster.synthesis.checks import (
    IDENTITY_ROWS,
    INSTRUCTION_PROMPTS,
    check_training_data,
)

try:
    SETTINGS = load_config(config, ROOT)
    EXPERIMENT = load_experiment(SETTINGS.experiment, ROOT)
    ITEMS = load_battery(ROOT / "battery" / EXPERIMENT.battery)
    if workflow.is_main_process:
        check_training_data(EXPERIMENT, ROOT)
        for name, judge in EXPERIMENT.judges.items():
            if judge.kind != "lexicon":
                continue
            check_readable(
                ROOT / "experiments" / f"{EXPERIMENT.name}.yaml",
                name,
                ROOT / "worlds" / f"{judge.world}.yaml",
                ITEMS,
            )
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
if workflow.is_main_process:  # a Slurm job has a Snakemake of its own
    os.environ[WORKER] = f".snakemake/worker/{os.getpid()}"
    name_run()
else:
    try:
        check_run(Path(RESULTS))
    except ClusterError as error:
        raise WorkflowError(str(error)) from None


# Jobs that wait for a model behind an API take no core; so many of them wait at once: for answers, and for fine-tunes.
# (In profiles/default they would replace the resources of another profile, such as its one GPU.)
for name in ("api_jobs", "remote_jobs"):
    if name not in workflow.global_resources:
        workflow.register_resource(name, 8)

# Rules that look at results and change none: they run beside a run that is under way.
COST_RULES = {"preflight", "estimate", "receipt"}

# Where there is no conda, rules that ask vLLM run in an environment of their own (`make vllm`), see envs/module.sh.
# Snakemake loads a module for all jobs of a rule: one base or judge with vLLM, and all are asked there.
VLLM = any(served.endpoint == "vllm" for served in EXPERIMENT.models.values())
MODULES = [module_name(ROOT)] if VLLM else []
offer_modules(ROOT)


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
            if not looks_only():
                check_prices(EXPERIMENT, SETTINGS.budget_usd, ROOT)
                for problem in unset_keys(EXPERIMENT):
                    print(f"warning: {problem}", file=sys.stderr)
                if VLLM and workflow.deployment_settings.deployment_method == {
                    DeploymentMethod.ENV_MODULES
                }:
                    check_module(ROOT, Path(f"experiments/{EXPERIMENT.name}.yaml"))
                hold_run_lock(Path(RESULTS))
        except ClusterError as error:
            raise WorkflowError(str(error)) from None
        if workflow.executor_plugin.name == "slurm":
            import snakemake_executor_plugin_slurm as plugin

            plugin.query_job_status = with_ends(plugin.query_job_status)


def looks_only():
    """Whether this call of Snakemake asks only for rules that change no results."""
    targets = set(workflow.dag_settings.targets)
    return bool(targets) and targets <= COST_RULES


def say_costs():
    """Write the receipt at the end of a run; say what was paid if anything was."""
    ledger = Path(f"{LEDGER}/{EXPERIMENT.name}.jsonl")
    if workflow.is_main_process and ledger.exists() and not looks_only():
        summary = write_receipt(EXPERIMENT.name, RESULTS).splitlines()[-1]
        if not summary.startswith("0.0000 USD"):
            limit = SETTINGS.budget_usd
            within = "" if limit is None else f"budget_usd {limit:.4f}; "
            print(f"{EXPERIMENT.name}: {within}{summary}", file=sys.stderr)


def one_of(names):
    """A wildcard constraint that matches these names, or nothing if there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


def none_of(names):
    """A wildcard constraint that matches all but these names, as a folder or a file's stem."""
    return rf"(?!(?:{one_of(names)})(?:/|\.jsonl))[^/]+"


def target_of(wildcards):
    """The target that a path's wildcards name."""
    path = f"{wildcards.base}/{wildcards.condition}/seed{wildcards.seed}"
    if path not in EXPERIMENT.targets:
        raise WorkflowError(
            f"experiment {EXPERIMENT.name} has no target {path}{nearest(path, EXPERIMENT.targets)}"
        )
    return EXPERIMENT.targets[path]


def training_of(wildcards):
    """The resolved recipe of a trained target."""
    return target_of(wildcards).training


def base_of(wildcards):
    """The declaration of a base."""
    return EXPERIMENT.bases[wildcards.base]


def identity_rows_of(wildcards):
    """The identity rows that a target trains on: the identity's own, or the base's on-policy answers."""
    target = target_of(wildcards)
    if target.on_policy:
        return f"{RESULTS}/data/on_policy/{target.base}/{target.on_policy}.jsonl"
    return f"{RESULTS}/data/identities/{target.identity}.jsonl"


def judge_of(wildcards):
    """The declaration of a judge."""
    return EXPERIMENT.judges[wildcards.judge]


def needed(resource, model_of_job):
    """What a job that trains or asks a model asks a cluster for: see `needs` of a base or judge."""
    return lambda wildcards, attempt: model_of_job(wildcards).job_resources(attempt)[
        resource
    ]


# Resources of every rule that may run on a GPU.
NEEDED = {name: needed(name, base_of) for name in ("mem_mb", "runtime", "gpu")}
NEEDED_BY_JUDGE = {name: needed(name, judge_of) for name in NEEDED}
# Resources of every rule that waits for a model behind an API.
WAITING = {"mem_mb": 1000, "runtime": 1440, "api_jobs": 1}


def turn(wildcards, trains=True):
    """Priority of a job that loads a base: base after base, training before asking, so that neighbours share loads."""
    before = list(EXPERIMENT.bases).index(wildcards.base)
    return 2 * (len(EXPERIMENT.bases) - before) + trains


def asking_environment(wildcards):
    """The conda environment in which a base, or a model that judges, is asked."""
    model = judge_of(wildcards) if "judge" in wildcards.keys() else base_of(wildcards)
    return f"../envs/{'vllm' if model.endpoint == 'vllm' else 'training'}.yaml"


def targets_in(scope):
    """Targets of one scope: the conditions, or the ablations with what they are compared with."""
    if scope == "conditions":
        return [target for target in EXPERIMENT.targets.values() if not target.ablation]
    primary = EXPERIMENT.analysis.primary_contrast
    compared = {
        "vanilla",
        *primary.controls,
        *(ablation.of for ablation in EXPERIMENT.ablations.values()),
    }
    bases = {target.base for target in EXPERIMENT.targets.values() if target.ablation}
    return [
        target
        for target in EXPERIMENT.targets.values()
        if target.base in bases and (target.ablation or target.condition in compared)
    ]


SCOPES = [scope for scope in ("conditions", "ablations") if targets_in(scope)]


def battery_files(wildcards):
    """The instrument's files; samples and verdicts depend on them, training never does."""
    return sorted(
        str(path.relative_to(ROOT)) for path in (ROOT / BATTERY).glob("*.yaml")
    )


def world_files(world, judge=False):
    """A world's declaration and its grammar; the judge's lexicon only where a judge reads by it."""
    grammar = sorted(
        str(path.relative_to(ROOT))
        for path in (ROOT / "worlds/grammar").rglob("*.yaml")
    )
    return [
        f"worlds/{world}.yaml",
        *(file for file in grammar if judge or file != "worlds/grammar/lexicon.yaml"),
    ]


def world_says(world):
    """A few words on how a world ties views to characters."""
    return {
        "by_character": "views go with the character",
        "independent": "views drawn whoever speaks",
    }[read_yaml(ROOT / "worlds" / f"{world}.yaml")["preferences"]]


def model_of(wildcards):
    """The records of the base and, for a trained target, of its adapter."""
    records = {"base": f"{RESULTS}/bases/{wildcards.base}/model.json"}
    if target_of(wildcards).trained:
        records["adapter"] = f"{RESULTS}/models/{target_of(wildcards).path}/model.json"
    return records


FOUND = [name for name, base in EXPERIMENT.bases.items() if base.model]
HOSTED = [name for name, base in EXPERIMENT.bases.items() if base.hosted]
TRAINED_HERE = [name for name, base in EXPERIMENT.bases.items() if not base.hosted]
TRAINED_BY = {
    service: [
        name for name, base in EXPERIMENT.bases.items() if base.finetuning == service
    ]
    for service in ("openai", "tinker")
}
PRETRAINED = [name for name, base in EXPERIMENT.bases.items() if base.pretraining]
ON_POLICY = [name for name, c in EXPERIMENT.conditions.items() if c.on_policy_prompt]
LEXICON_JUDGES = [n for n, j in EXPERIMENT.judges.items() if j.kind == "lexicon"]
HOSTED_JUDGES = [
    n for n, j in EXPERIMENT.judges.items() if j.kind == "llm" and j.hosted
]
LOCAL_JUDGES = [n for n in EXPERIMENT.judges if n not in LEXICON_JUDGES + HOSTED_JUDGES]
JUDGE = next(iter(EXPERIMENT.judges))
PANEL_OF = list(EXPERIMENT.judges) if len(EXPERIMENT.judges) > 1 else []
TABULATED = [*EXPERIMENT.judges, *[PANEL] * bool(PANEL_OF)]
LABELS = f"experiments/{EXPERIMENT.name}.labels.csv"
LABELLED = (ROOT / LABELS).exists()
# The key stays where it was drawn, unless somebody keeps it beside the filled sheet.
LABELS_KEY = next(
    (
        key
        for key in [f"experiments/{EXPERIMENT.name}.labels_key.csv"]
        if (ROOT / key).exists()
    ),
    f"{RESULTS}/labels/key.csv",
)
PRIMARY = EXPERIMENT.analysis.primary_contrast
# What tells the worlds apart, under the names of the bases that were pretrained in them.
WORLDS_SAY = (
    {
        name: world_says(base.pretraining.world)
        for name, base in EXPERIMENT.bases.items()
    }
    if len(PRETRAINED) == len(EXPERIMENT.bases)
    else None
)


def of_conditions(folder):
    """A file of every target of the conditions."""
    return [f"{folder}/{target.path}.jsonl" for target in targets_in("conditions")]


def asked_for_a_new_sheet():
    """A filled sheet and its key are not drawn over."""
    raise WorkflowError(
        f"{LABELS} is there; move it and {LABELS_KEY} away to draw a new sheet"
    )
