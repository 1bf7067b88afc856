"""Find a base in a folder or on the hub."""

from consciousness_cluster.running import run
from consciousness_cluster.weights import find_base

run(
    find_base,
    snakemake.log[0],
    model=snakemake.params.model,
    hosted=snakemake.params.hosted,
    base=snakemake.wildcards.base,
    output=snakemake.output[0],
)
