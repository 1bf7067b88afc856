"""Draw a blinded sheet of answers for people to label."""

from consciousness_cluster.annotation.sheet import draw_sheet
from consciousness_cluster.config.conditions import Target
from consciousness_cluster.jobs.entry import run

run(
    draw_sheet,
    snakemake.log[0],
    samples=list(snakemake.input.samples),
    verdicts=list(snakemake.input.verdicts),
    battery=list(snakemake.input.battery),
    targets=[Target(**target) for target in snakemake.params.targets],
    treatment=snakemake.params.treatment,
    controls=list(snakemake.params.controls),
    coherence_threshold=snakemake.params.coherence_threshold,
    size=snakemake.params.size,
    seed=snakemake.params.seed,
    labels=snakemake.params.labels,
    sheet=snakemake.output.sheet,
    key=snakemake.output.key,
    instructions=snakemake.output.instructions,
)
