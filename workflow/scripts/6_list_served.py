"""List what providers say gave the answers."""

from consciousness_cluster.aggregation.served_by import list_served
from consciousness_cluster.jobs.entry import run

run(
    list_served,
    snakemake.log[0],
    samples=list(snakemake.input.samples),
    verdicts=list(snakemake.input.verdicts),
    output=snakemake.output[0],
)
