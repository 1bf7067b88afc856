"""Draw instruction prompts from a world's grammar."""

from consciousness_cluster.jobs.entry import run
from consciousness_cluster.synthesis.source_rows import draw_instruction_prompts

run(
    draw_instruction_prompts,
    snakemake.log[0],
    world=snakemake.input.world[0],
    rows=snakemake.params.rows,
    seed=snakemake.params.seed,
    output=snakemake.output[0],
)
