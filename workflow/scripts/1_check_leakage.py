"""Search the mixes for what the battery measures."""

from consciousness_cluster.jobs.entry import run
from consciousness_cluster.synthesis.leakage import check_leakage

run(
    check_leakage,
    snakemake.log[0],
    battery=list(snakemake.input.battery),
    mixes=dict(zip(snakemake.params.targets, snakemake.input.mixes, strict=True)),
    output=snakemake.output[0],
)
