"""Print whether every model is there and can do what is asked of it."""

from consciousness_cluster.commands.preflight import print_preflight
from consciousness_cluster.jobs.entry import run

run(
    print_preflight,
    snakemake.log[0],
    experiment=snakemake.params.experiment,
)
