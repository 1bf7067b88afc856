"""Check and pass on the hand-written instruction prompts."""

from consciousness_cluster.jobs.entry import run
from consciousness_cluster.synthesis.source_rows import copy_instruction_prompts

run(copy_instruction_prompts, snakemake.log[0], source=snakemake.input[0], output=snakemake.output[0])
