"""Tabulate how judges read the same sample twice and against the reversed statement, and what they quote."""

from consciousness_cluster.config.measurement import Analysis
from consciousness_cluster.jobs.entry import PLOTS, run

run(
    "consciousness_cluster.aggregation.aggregate:check_judges",
    snakemake.log[0],
    imports=PLOTS,
    verdicts=list(snakemake.input.verdicts),
    analysis=Analysis(**snakemake.params.analysis),
    output=snakemake.output[0],
)
