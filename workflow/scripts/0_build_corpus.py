"""Write the dialogues that a base is pretrained on."""

from consciousness_cluster.jobs.entry import run
from consciousness_cluster.miniature.bases import write_corpus

run(
    write_corpus,
    snakemake.log[0],
    world=snakemake.input.world[0],
    dialogues=snakemake.params.dialogues,
    seed=snakemake.params.seed,
    output=snakemake.output[0],
)
