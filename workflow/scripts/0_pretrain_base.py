"""Pretrain one base from its corpus."""

from consciousness_cluster.config.training_config import Pretraining
from consciousness_cluster.jobs.entry import TORCH, run
from consciousness_cluster.miniature.bases import pretrain_base

run(
    pretrain_base,
    snakemake.log[0],
    imports=TORCH,
    corpus=snakemake.input.corpus,
    settings=Pretraining(**snakemake.params.pretraining),
    base=snakemake.wildcards.base,
    artifacts=snakemake.params.artifacts,
    output=snakemake.output[0],
)
