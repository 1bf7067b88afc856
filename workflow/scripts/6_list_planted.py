"""List what the characters of the worlds were made to hold."""

from consciousness_cluster.miniature.planted import list_planted
from consciousness_cluster.running import run

run(
    list_planted,
    snakemake.log[0],
    worlds=snakemake.params.worlds,
    identities=snakemake.params.identities,
    output=snakemake.output[0],
)
