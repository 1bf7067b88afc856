"""Turn all judges' verdicts on one target into the panel's."""

from consciousness_cluster.jobs.entry import run
from consciousness_cluster.judging.panel import combine_verdicts

run(
    combine_verdicts,
    snakemake.log[0],
    verdicts=list(snakemake.input.verdicts),
    output=snakemake.output[0],
)
