# Purpose   figures, each with the table it was drawn from, and the resolved experiment.
# Inputs    tables/<judge>/<scope>/*.csv of the first judge, tables/planted.csv
# Outputs   figures/<figure>.{svg,png,pdf,csv}, experiment.json; `snakemake --report` puts the figures into one file
# Reruns    when a table, or the code of a figure, changes; experiment.json whenever a table was made again, and then
#           only, so that it names the commit and the versions that made the tables
# Costs     seconds


from consciousness_cluster.reporting.ablation_axes import ablation_facts


rule write_experiment:
    input:
        tables=[tables_of(scope) for scope in SCOPES],
        across=[f"{RESULTS}/tables/agreement.csv"] * bool(PANEL_JUDGES)
        + [f"{RESULTS}/tables/judge_checks.csv"] * bool(MODEL_JUDGES)
        + [f"{RESULTS}/tables/corrected_rates.csv"] * LABELLED,
    output:
        f"{RESULTS}/experiment.json",
    log:
        f"{LOGS}/experiment.log",
    benchmark:
        f"{LOGS}/experiment.tsv"
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=500,
        runtime=5,
    params:
        experiment=EXPERIMENT.model_dump(mode="json"),
        battery=describe_battery(ROOT / "battery" / EXPERIMENT.battery, ITEMS),
        targets=list(EXPERIMENT.targets),
    message:
        "Writing down the resolved experiment, versions and git state"
    script:
        "../workflow/scripts/7_write_experiment.py"


rule draw_preferences:
    input:
        rates=f"{TABLES}/conditions/rates.csv",
        rates_by_target=f"{TABLES}/conditions/rates_by_target.csv",
    output:
        **figure_files("preferences"),
    log:
        f"{LOGS}/figures/preferences.log",
    benchmark:
        f"{LOGS}/figures/preferences.tsv"
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        **CAPTION,
        arguments={
            "treatment": PRIMARY.treatment,
            "rule": EXPERIMENT.analysis.not_sure,
            "confidence": EXPERIMENT.analysis.confidence,
            "labels": OWN_LABELS,
        },
        algorithm=fingerprint("reporting.figure_preferences:draw_preferences"),
    message:
        "Drawing every preference under every condition"
    script:
        "../workflow/scripts/7_draw_figure.py"


use rule draw_preferences as draw_targets with:
    input:
        rates_by_target=f"{TABLES}/conditions/rates_by_target.csv",
    output:
        **figure_files("targets"),
    log:
        f"{LOGS}/figures/targets.log",
    benchmark:
        f"{LOGS}/figures/targets.tsv"
    params:
        **CAPTION,
        arguments={
            "rule": EXPERIMENT.analysis.not_sure,
            "labels": OWN_LABELS,
        },
        algorithm=fingerprint("reporting.figure_targets:draw_targets"),
    message:
        "Drawing all targets"


use rule draw_preferences as draw_manipulation_checks with:
    input:
        manipulation_checks=f"{TABLES}/conditions/manipulation_checks.csv",
        rates_by_target=f"{TABLES}/conditions/rates_by_target.csv",
        counts=f"{TABLES}/conditions/counts.csv",
    output:
        **figure_files("manipulation_checks"),
    log:
        f"{LOGS}/figures/manipulation_checks.log",
    benchmark:
        f"{LOGS}/figures/manipulation_checks.tsv"
    params:
        **CAPTION,
        arguments={
            "rule": EXPERIMENT.analysis.not_sure,
            "confidence": EXPERIMENT.analysis.confidence,
            "labels": OWN_LABELS,
        },
        algorithm=fingerprint(
            "reporting.figure_manipulation_checks:draw_manipulation_checks"
        ),
    message:
        "Drawing whether training worked"


use rule draw_preferences as draw_negative_control with:
    input:
        rates=f"{TABLES}/conditions/rates.csv",
        rates_by_target=f"{TABLES}/conditions/rates_by_target.csv",
    output:
        **figure_files("negative_control"),
    log:
        f"{LOGS}/figures/negative_control.log",
    benchmark:
        f"{LOGS}/figures/negative_control.tsv"
    params:
        **CAPTION,
        arguments={
            "rule": EXPERIMENT.analysis.not_sure,
            "confidence": EXPERIMENT.analysis.confidence,
            "descriptions": WORLDS,
        },
        algorithm=fingerprint("reporting.figure_negative_control:draw_negative_control"),
    message:
        "Drawing the bases side by side"


use rule draw_preferences as draw_planted with:
    input:
        planted=f"{RESULTS}/tables/planted.csv",
        rates=f"{TABLES}/conditions/rates.csv",
    output:
        **figure_files("planted"),
    log:
        f"{LOGS}/figures/planted.log",
    benchmark:
        f"{LOGS}/figures/planted.tsv"
    params:
        **CAPTION,
        arguments={
            "treatment": PRIMARY.treatment,
            "rule": EXPERIMENT.analysis.not_sure,
            "confidence": EXPERIMENT.analysis.confidence,
        },
        algorithm=fingerprint("reporting.figure_planted:draw_planted"),
    message:
        "Drawing what was planted and what came out"


use rule draw_preferences as draw_ablations with:
    input:
        rates=f"{TABLES}/ablations/rates.csv",
        rates_by_target=f"{TABLES}/ablations/rates_by_target.csv",
    output:
        **figure_files("ablations"),
    log:
        f"{LOGS}/figures/ablations.log",
    benchmark:
        f"{LOGS}/figures/ablations.tsv"
    params:
        **CAPTION,
        arguments={
            "rule": EXPERIMENT.analysis.not_sure,
            "confidence": EXPERIMENT.analysis.confidence,
            "ablations": ablation_facts(EXPERIMENT),
            "conditions": list(
                dict.fromkeys(target.condition for target in targets_in("ablations"))
            ),
        },
        algorithm=fingerprint("reporting.figure_ablations:draw_ablations"),
    message:
        "Drawing the ablations"
