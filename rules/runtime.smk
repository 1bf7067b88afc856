# What a run does before its first job and after its last, and what its jobs ask the machine or cluster for. No rules.

import os

from consciousness_cluster.budget.ledger import FOLDER as LEDGER
from consciousness_cluster.budget.quotes import check_prices
from consciousness_cluster.commands.receipt import write_receipt
from consciousness_cluster.config.api_keys import unset_keys
from consciousness_cluster.core.lock_probe import choose_locks
from consciousness_cluster.inference.vllm_environment import check_vllm
from consciousness_cluster.jobs.entry import FORK_SERVER
from consciousness_cluster.jobs.process import MAIN_PROCESS
from consciousness_cluster.jobs.run_lock import check_run, hold_run_lock, name_run
from consciousness_cluster.jobs.slurm import with_ends
from consciousness_cluster.judging.lexicon_judge import check_lexicon_judges
from consciousness_cluster.models.identity import folder_files, folder_weights

# Jobs end with this process, even if it is killed; on this machine they may share one fork server (jobs/fork_server).
os.environ[MAIN_PROCESS] = str(os.getpid())
os.environ.pop(FORK_SERVER, None)
try:
    if workflow.is_main_process:  # a Slurm job has a Snakemake of its own
        os.environ[FORK_SERVER] = f".snakemake/worker/{os.getpid()}"
        checks.check_training_data(EXPERIMENT, ROOT)
        check_lexicon_judges(EXPERIMENT, ITEMS, ROOT)
        choose_locks(Path("results"))
        name_run()
    else:
        check_run(Path(RESULTS))
except ClusterError as error:
    raise WorkflowError(str(error)) from None

# Jobs that wait for a model behind an API take no core; so many of them wait at once: for answers, and for fine-tunes.
# (In profiles/default they would replace the resources of another profile, such as its one GPU.)
for name in ("api_jobs", "remote_jobs"):
    if name not in workflow.global_resources:
        workflow.register_resource(name, 8)


def cluster_resources(declaration_of):
    """What a job that trains or asks a model on a GPU asks a cluster for: see `needs` of a base or judge."""

    def needed(resource):
        return lambda wildcards, attempt: declaration_of(wildcards).job_resources(
            attempt
        )[resource]

    return {name: needed(name) for name in ("mem_mb", "runtime", "gpu")}


BASE_RESOURCES = cluster_resources(base_of)
JUDGE_RESOURCES = cluster_resources(judge_of)
# of every rule that waits for a model behind an API
API_RESOURCES = {"mem_mb": 1000, "runtime": 1440, "api_jobs": 1}


def files_of(served):
    """The files of a model in a folder; none of a hub id. Their content decides (`weights`), not their dates."""
    return (
        []
        if served.hosted or served.package
        else [ancient(file) for file in folder_files(served.model)]
    )


def weights_of(served):
    """The hash of a folder's content, '' of a hub id; large files are read once, until they change."""
    try:
        local = served.model and not served.hosted
        return folder_weights(served.model, Path(ARTIFACTS)) if local else ""
    except ClusterError as error:
        refuse(str(error))


def base_priority(wildcards, trains=True):
    """Priority of a job that loads a base: base after base, training before asking, so that neighbours share loads."""
    before = list(BASES).index(wildcards.base)
    return 2 * (len(BASES) - before) + trains


# Rules that look at results and change none: they run beside a run that is under way.
COMMANDS = {"preflight", "estimate", "receipt"}


def looks_only():
    """Whether this call of Snakemake asks only for rules that change no results."""
    targets = set(workflow.dag_settings.targets)
    return bool(targets) and targets <= COMMANDS


def say_costs():
    """Write the receipt at the end of a run; say what was paid if anything was."""
    ledger = Path(f"{LEDGER}/{EXPERIMENT.name}.jsonl")
    if workflow.is_main_process and ledger.exists() and not looks_only():
        summary = write_receipt(EXPERIMENT.name, RESULTS).splitlines()[-1]
        if not summary.startswith("0.0000 USD"):
            limit = SETTINGS.budget_usd
            within = "" if limit is None else f"budget_usd {limit:.4f}; "
            print(f"{EXPERIMENT.name}: {within}{summary}", file=sys.stderr)


onstart:
    if workflow.is_main_process:
        try:
            if not looks_only():
                check_prices(EXPERIMENT, SETTINGS.budget_usd, ROOT)
                for problem in unset_keys(EXPERIMENT):
                    print(f"warning: {problem}", file=sys.stderr)
                if "vllm" in {
                    served.endpoint for served in EXPERIMENT.models.values()
                }:
                    check_vllm(ROOT, Path(f"experiments/{EXPERIMENT.name}.yaml"))
                hold_run_lock(Path(RESULTS))
        except ClusterError as error:
            raise WorkflowError(str(error)) from None
        if workflow.executor_plugin.name == "slurm":
            import snakemake_executor_plugin_slurm as plugin

            plugin.query_job_status = with_ends(plugin.query_job_status)


onsuccess:
    say_costs()


onerror:
    say_costs()
