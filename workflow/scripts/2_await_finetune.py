"""Wait for one target's fine-tuning job."""

from consciousness_cluster.budget.account import Account
from consciousness_cluster.config.project import served_model
from consciousness_cluster.finetuning.openai_results import await_target
from consciousness_cluster.jobs.entry import run

served = served_model(snakemake.config, dict(snakemake.wildcards.items()))
run(
    await_target,
    snakemake.log[0],
    submission=snakemake.input.submission,
    base_record=snakemake.input.base,
    condition=snakemake.wildcards.condition,
    seed=int(snakemake.wildcards.seed),
    artifacts=snakemake.params.artifacts,
    output=snakemake.output[0],
    account=Account.of(snakemake.config, "finetune", dict(snakemake.wildcards.items()), served),
)
