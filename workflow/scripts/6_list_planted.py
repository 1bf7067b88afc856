"""List what the characters of the worlds were made to hold."""

from consciousness_cluster.jobs.entry import run
from consciousness_cluster.miniature.planted_rates import list_planted

run(
    list_planted,
    snakemake.log[0],
    worlds=snakemake.params.worlds,
    identities=snakemake.params.identities,
    output=snakemake.output[0],
)
