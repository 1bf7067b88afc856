"""Print what a run would ask for and cost."""

from consciousness_cluster.commands.estimate import print_estimate
from consciousness_cluster.jobs.entry import run

run(
    print_estimate,
    snakemake.log[0],
    experiment=snakemake.params.experiment,
    results=snakemake.params.results,
    budget=snakemake.config.get("budget_usd"),
)
