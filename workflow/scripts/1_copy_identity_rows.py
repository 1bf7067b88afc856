"""Check and pass on the hand-written rows of one identity."""

from consciousness_cluster.jobs.entry import run
from consciousness_cluster.synthesis.source_rows import copy_identity_rows

run(copy_identity_rows, snakemake.log[0], source=snakemake.input[0], output=snakemake.output[0])
