# Purpose   figures, each with the table it was drawn from, and the resolved experiment.
# Inputs    tables/<judge>/<scope>/*.csv of the first judge, tables/planted.csv
# Outputs   figures/<figure>.{svg,png,pdf,csv}, experiment.json; `snakemake --report` puts the figures into one file
# Reruns    when a table, or this stage's code, changes
# Costs     seconds

JUDGE = next(iter(EXPERIMENT.judges))
TABLES = f"{RESULTS}/tables/{JUDGE}"

# What each figure is drawn from. A figure that has nothing to show in this experiment is not asked for.
FIGURES = {
    "preferences": [f"{TABLES}/conditions/rates.csv", f"{TABLES}/conditions/rates_by_target.csv"],
    "targets": [f"{TABLES}/conditions/rates_by_target.csv"],
    "manipulation_checks": [f"{TABLES}/conditions/manipulation_checks.csv", f"{TABLES}/conditions/counts.csv"],
}
if len(EXPERIMENT.bases) > 1:
    FIGURES["negative_control"] = FIGURES["preferences"]
if any(base.pretraining for base in EXPERIMENT.bases.values()):
    FIGURES["planted"] = [f"{RESULTS}/tables/planted.csv", f"{TABLES}/conditions/rates.csv"]
if targets_in("ablations"):
    FIGURES["ablations"] = [f"{TABLES}/ablations/headline.csv", f"{TABLES}/ablations/rates_by_target.csv"]


rule write_experiment:
    output:
        f"{RESULTS}/experiment.json",
    params:
        experiment=EXPERIMENT.model_dump(mode="json"),
        targets=list(EXPERIMENT.targets),
    log:
        f"{LOGS}/experiment.log",
    benchmark:
        f"{LOGS}/experiment.tsv"
    resources:
        mem_mb=500,
        runtime=5,
    conda:
        "../envs/core.yaml"
    message:
        "Writing down the resolved experiment, versions and git state"
    script:
        "../workflow/scripts/7_write_experiment.py"


