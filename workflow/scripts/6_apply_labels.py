"""Tabulate the judges' accuracy and the corrected rates from a filled sheet of human labels."""

from consciousness_cluster.config.conditions import Target
from consciousness_cluster.config.measurement import Analysis
from consciousness_cluster.jobs.entry import PLOTS, run

run(
    "consciousness_cluster.aggregation.aggregate:apply_labels",
    snakemake.log[0],
    imports=PLOTS,
    labels=snakemake.input.labels,
    key=snakemake.input.key,
    samples=list(snakemake.input.samples),
    verdicts=list(snakemake.input.verdicts),
    battery=list(snakemake.input.battery),
    analysis=Analysis(**snakemake.params.analysis),
    targets=[Target(**target) for target in snakemake.params.targets],
    seed=snakemake.params.seed,
    judges=list(snakemake.params.judges),
    accuracy=snakemake.output.accuracy,
    corrected=snakemake.output.corrected,
)
