"""Print what an experiment asked for and paid."""

from consciousness_cluster.costs.receipt import print_receipt
from consciousness_cluster.running import run

run(
    print_receipt,
    snakemake.log[0],
    experiment=snakemake.params.experiment,
    results=snakemake.params.results,
)
