"""Read one target's samples with one judge."""

from consciousness_cluster.jobs.entry import run
from consciousness_cluster.judging.judge import judge_target
from consciousness_cluster.judging.lexicon_judge import LexiconJudge

run(
    judge_target,
    snakemake.log[0],
    samples=snakemake.input.samples,
    battery=list(snakemake.input.battery),
    judge=LexiconJudge(name=snakemake.wildcards.judge, world=snakemake.input.world[0]),
    output=snakemake.output[0],
)
