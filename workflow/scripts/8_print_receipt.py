"""Print what an experiment asked for and paid."""

from consciousness_cluster.commands.receipt import print_receipt
from consciousness_cluster.jobs.entry import run

run(
    print_receipt,
    snakemake.log[0],
    experiment=snakemake.params.experiment,
    results=snakemake.params.results,
)
