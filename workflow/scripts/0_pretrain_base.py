"""Pretrain one base from its corpus."""

from consciousness_cluster.miniature.bases import pretrain_base
from consciousness_cluster.recipes import Pretraining
from consciousness_cluster.running import TORCH, run

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
