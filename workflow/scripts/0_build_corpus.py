"""Write the dialogues that a base is pretrained on."""

from consciousness_cluster.miniature.bases import write_corpus
from consciousness_cluster.running import run

run(
    write_corpus,
    snakemake.log[0],
    world=snakemake.input.world[0],
    dialogues=snakemake.params.dialogues,
    seed=snakemake.params.seed,
    output=snakemake.output[0],
)
