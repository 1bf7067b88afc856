"""Mix the identity and instruction rows of one target."""

from consciousness_cluster.jobs.entry import run
from consciousness_cluster.synthesis.mix import build_mix

run(
    build_mix,
    snakemake.log[0],
    identity_rows=snakemake.input.identity_rows,
    instruction_rows=snakemake.input.instruction_rows,
    identity_count=snakemake.params.identity_count,
    instruction_count=snakemake.params.instruction_count,
    groups=snakemake.params.groups,
    content=snakemake.params.content,
    attributing_count=snakemake.params.attributing_count,
    seed=snakemake.params.seed,
    output=snakemake.output[0],
)
