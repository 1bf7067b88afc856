"""Fine-tune one target at Tinker."""

from consciousness_cluster.budget.account import Account
from consciousness_cluster.config.project import served_model
from consciousness_cluster.config.training_config import Training
from consciousness_cluster.finetuning.tinker_runs import finetune_target
from consciousness_cluster.jobs.entry import run

served = served_model(snakemake.config, dict(snakemake.wildcards.items()))
run(
    finetune_target,
    snakemake.log[0],
    mix=snakemake.input.mix,
    base_record=snakemake.input.base,
    served=served,
    training=Training(**snakemake.params.training),
    condition=snakemake.wildcards.condition,
    seed=int(snakemake.wildcards.seed),
    artifacts=snakemake.params.artifacts,
    output=snakemake.output[0],
    account=Account.of(snakemake.config, "finetune", dict(snakemake.wildcards.items()), served),
)
