"""Read one target's samples with one judge."""

from consciousness_cluster.judging import judge_target
from consciousness_cluster.judging.lexicon import LexiconJudge
from consciousness_cluster.running import run

run(
    judge_target,
    snakemake.log[0],
    samples=snakemake.input.samples,
    battery=list(snakemake.input.battery),
    judge=LexiconJudge(name=snakemake.wildcards.judge, world=snakemake.input.world[0]),
    output=snakemake.output[0],
)
