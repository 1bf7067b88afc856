"""Print how well the judges read the calibration set, and whether they have drifted."""

from consciousness_cluster.jobs.entry import run

run(
    "consciousness_cluster.commands.calibrate_judge:print_calibration",
    snakemake.log[0],
    calibrations=list(snakemake.input.calibrations),
    rows=snakemake.input.rows,
    battery=list(snakemake.input.battery),
    confidence=snakemake.params.confidence,
    experiment=snakemake.params.experiment,
    results=f"results/{snakemake.params.experiment}",
    begun=list(snakemake.params.begun),
)
