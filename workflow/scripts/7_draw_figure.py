"""Draw one figure: rule draw_<figure> calls draw_<figure> of reporting.figure_<figure>."""

from pathlib import Path

from consciousness_cluster.jobs.entry import PLOTS, run

figure = snakemake.rule.removeprefix("draw_")
run(
    f"consciousness_cluster.reporting.figure_{figure}:draw_{figure}",
    snakemake.log[0],
    imports=PLOTS,
    output=str(Path(snakemake.output.svg).with_suffix("")),
    **dict(snakemake.input.items()),
    **snakemake.params.arguments,
)
