# Fine-tuning -> self-description, opinions and actions: from training rows to figures.
# The experiment (config.yaml) decides what exists; rules/ are the stages in the order in which data flows.

from snakemake.utils import min_version

min_version("9.27")


configfile: "config.yaml"


include: "rules/common.smk"
include: "rules/runtime.smk"
include: "rules/final_outputs.smk"
include: "rules/0_bases.smk"
include: "rules/1_synthesis.smk"
include: "rules/2_finetuning.smk"
include: "rules/3_sampling.smk"
include: "rules/5_judging.smk"
include: "rules/6_aggregation.smk"
include: "rules/7_reporting.smk"
include: "rules/8_commands.smk"


# Jobs of these rules train or ask a local model and may go to a cluster (memory, time, GPUs: BASE_RESOURCES and
# JUDGE_RESOURCES in runtime.smk). Everything else is light, or waits for a provider, and stays where it is.
ON_CLUSTER = {
    "pretrain_base",
    "answer_instructions",
    "answer_identity_prompts",
    "finetune",
    "sample",
    "ask_judge",
}
workflow.localrules(*{rule.name for rule in workflow.rules} - ON_CLUSTER)


report: "workflow/report/workflow.rst"


# Everything of the experiment: tables, figures, leakage check, resolved experiment.
rule all:
    default_target: True
    input:
        [final_outputs(scope) for scope in SCOPES],
        [f"{RESULTS}/tables/agreement.csv"] * bool(PANEL_JUDGES),
        [f"{RESULTS}/tables/served_by.csv"] * bool(HOSTED_BASES or HOSTED_JUDGES),
        [f"{RESULTS}/tables/corrected_rates.csv"] * LABELLED,
        f"{RESULTS}/data/leakage.csv",
        f"{RESULTS}/experiment.json",


# The ablations alone, and what they need (their parents, vanilla, and the declared controls).
rule ablations:
    input:
        lambda wildcards: (
            final_outputs("ablations")
            if "ablations" in SCOPES
            else refuse(f"experiments/{EXPERIMENT.name}.yaml declares no ablations")
        ),
