"""Turn all verdicts of one judge and scope into tables."""

from consciousness_cluster.config.conditions import Target
from consciousness_cluster.config.measurement import Analysis
from consciousness_cluster.jobs.entry import PLOTS, run

run(
    "consciousness_cluster.aggregation.aggregate:aggregate",
    snakemake.log[0],
    imports=PLOTS,
    verdicts=list(snakemake.input.verdicts),
    battery=list(snakemake.input.battery),
    analysis=Analysis(**snakemake.params.analysis),
    targets=[Target(**target) for target in snakemake.params.targets],
    seed=snakemake.params.seed,
    judge=snakemake.wildcards.judge,
    folder=snakemake.params.folder,
)
