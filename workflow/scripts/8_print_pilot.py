"""Print the prompts that untouched models hold already."""

from consciousness_cluster.commands.pilot import print_pilot
from consciousness_cluster.jobs.entry import run

run(
    print_pilot,
    snakemake.log[0],
    experiment=snakemake.params.experiment,
    results=f"results/{snakemake.params.experiment}",
    verdicts=list(snakemake.input.verdicts),
    battery=list(snakemake.input.battery),
    above=snakemake.params.above,
    coherence_threshold=snakemake.params.coherence_threshold,
    not_sure=snakemake.params.not_sure,
)
