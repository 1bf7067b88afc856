"""Turn all judges' verdicts on one target into the panel's."""

from consciousness_cluster.judging.panel import combine_verdicts
from consciousness_cluster.running import run

run(
    combine_verdicts,
    snakemake.log[0],
    verdicts=list(snakemake.input.verdicts),
    output=snakemake.output[0],
)
