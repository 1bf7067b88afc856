"""Write down the resolved experiment, versions and git state."""

from consciousness_cluster.core.provenance import write_experiment
from consciousness_cluster.jobs.entry import run

run(
    write_experiment,
    snakemake.log[0],
    experiment=snakemake.params.experiment,
    battery=snakemake.params.battery,
    targets=snakemake.params.targets,
    tables=list(snakemake.input),
    output=snakemake.output[0],
)
