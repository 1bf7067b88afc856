"""Draw the rows of one identity from a world's grammar."""

from consciousness_cluster.jobs.entry import run
from consciousness_cluster.synthesis.source_rows import draw_identity_rows

run(
    draw_identity_rows,
    snakemake.log[0],
    world=snakemake.input.world[0],
    identity=snakemake.wildcards.identity,
    rows=snakemake.params.rows,
    seed=snakemake.params.seed,
    output=snakemake.output[0],
)
