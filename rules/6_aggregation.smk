# Purpose   rates, intervals and contrasts from all verdicts of one judge.
# Inputs    verdicts/<judge>/<target>.jsonl, battery/<battery>/*.yaml
# Outputs   tables/<judge>/conditions/*.csv and tables/<judge>/ablations/*.csv (every column: results/README.md),
#           tables/planted.csv (what a world's characters were made to hold)
# Reruns    when verdicts, the analysis section or this stage's code change
# Costs     seconds


rule aggregate:
    input:
        verdicts=lambda wildcards: [
            f"{RESULTS}/verdicts/{wildcards.judge}/{target.path}.jsonl"
            for target in targets_in(wildcards.scope)
        ],
        battery=battery_files,
    output:
        tables=[
            f"{RESULTS}/tables/{{judge}}/{{scope}}/{table}.csv" for table in DICTIONARY
        ],
    log:
        f"{LOGS}/aggregate/{{judge}}/{{scope}}.log",
    benchmark:
        f"{LOGS}/aggregate/{{judge}}/{{scope}}.tsv"
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        folder=f"{RESULTS}/tables/{{judge}}/{{scope}}",
        analysis=EXPERIMENT.analysis.model_dump(),
        targets=lambda wildcards: [
            target.model_dump() for target in targets_in(wildcards.scope)
        ],
        seed=EXPERIMENT.seed,
        algorithm=fingerprint("aggregation.aggregate"),
    message:
        "Tabulating what judge {wildcards.judge} found in the {wildcards.scope}"
    script:
        "../workflow/scripts/6_aggregate.py"


if WORLDS_SAY is not None:

    rule list_planted:
        input:
            worlds=sorted(
                {
                    file
                    for base in EXPERIMENT.bases.values()
                    for file in world_files(base.pretraining.world)
                }
            ),
        output:
            f"{RESULTS}/tables/planted.csv",
        log:
            f"{LOGS}/planted.log",
        benchmark:
            f"{LOGS}/planted.tsv"
        conda:
            "../envs/core.yaml"
        resources:
            mem_mb=500,
            runtime=5,
        params:
            worlds={
                name: f"worlds/{base.pretraining.world}.yaml"
                for name, base in EXPERIMENT.bases.items()
            },
            identities={
                name: condition.identity
                for name, condition in EXPERIMENT.conditions.items()
            },
            algorithm=fingerprint("miniature.planted"),
        message:
            "Listing the rates that the worlds' characters were made to hold"
        script:
            "../workflow/scripts/6_list_planted.py"
