"""Fine-tune one target."""

from consciousness_cluster.config.training_config import Training
from consciousness_cluster.finetuning.finetune import finetune_target
from consciousness_cluster.jobs.entry import TORCH, run

run(
    finetune_target,
    snakemake.log[0],
    imports=TORCH,
    loads=f"transformers {snakemake.wildcards.base}",
    mix=snakemake.input.mix,
    base_record=snakemake.input.base,
    training=Training(**snakemake.params.training),
    condition=snakemake.wildcards.condition,
    seed=int(snakemake.wildcards.seed),
    artifacts=snakemake.params.artifacts,
    output=snakemake.output[0],
)
