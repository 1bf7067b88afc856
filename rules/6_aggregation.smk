# Purpose   rates, intervals and contrasts from all verdicts of one judge (of others the judge's part of the variance);
#           how far the judges of a panel agree.
# Inputs    verdicts/<judge>/<target>.jsonl, battery/<battery>/*.yaml
# Outputs   tables/<judge>/conditions/*.csv and tables/<judge>/ablations/*.csv (every column: results/README.md),
#           tables/planted.csv (what a world's characters were made to hold), tables/served_by.csv (what hosted models'
#           providers say gave the answers), tables/agreement.csv where there are several judges,
#           tables/judge_checks.csv where a judge is a model, tables/{judge_accuracy,corrected_rates}.csv where
#           experiments/<experiment>.labels.csv holds human labels
# Reruns    when verdicts, the analysis section or this stage's code change
# Costs     seconds


rule aggregate:
    input:
        verdicts=lambda wildcards: [
            f"{RESULTS}/verdicts/{judge}/{target.path}.jsonl"
            for judge in dict.fromkeys([wildcards.judge, *EXPERIMENT.judges])
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
        algorithm=code_of("6_aggregate"),
    message:
        "Tabulating what judge {wildcards.judge} found in the {wildcards.scope}"
    script:
        "../workflow/scripts/6_aggregate.py"


if PANEL_JUDGES:

    rule compare_judges:
        input:
            verdicts=expand(
                f"{RESULTS}/verdicts/{{judge}}/{{target}}.jsonl",
                judge=PANEL_JUDGES,
                target=EXPERIMENT.targets,
            ),
            battery=battery_files,
        output:
            f"{RESULTS}/tables/agreement.csv",
        log:
            f"{LOGS}/agreement.log",
        benchmark:
            f"{LOGS}/agreement.tsv"
        conda:
            "../envs/core.yaml"
        resources:
            mem_mb=2000,
            runtime=15,
        params:
            analysis=EXPERIMENT.analysis.model_dump(),
            targets=[target.model_dump() for target in EXPERIMENT.targets.values()],
            seed=EXPERIMENT.seed,
            judge=PRIMARY_JUDGE,
            algorithm=code_of("6_compare_judges"),
        message:
            "Comparing the judges' readings"
        script:
            "../workflow/scripts/6_compare_judges.py"


if MODEL_JUDGES:

    rule check_judges:
        input:
            verdicts=expand(
                f"{RESULTS}/verdicts/{{judge}}/{{target}}.jsonl",
                judge=MODEL_JUDGES,
                target=EXPERIMENT.targets,
            ),
        output:
            f"{RESULTS}/tables/judge_checks.csv",
        log:
            f"{LOGS}/judge_checks.log",
        benchmark:
            f"{LOGS}/judge_checks.tsv"
        conda:
            "../envs/core.yaml"
        resources:
            mem_mb=1000,
            runtime=15,
        params:
            analysis=EXPERIMENT.analysis.model_dump(),
            algorithm=code_of("6_check_judges"),
        message:
            "Tabulating how the judges agree with themselves"
        script:
            "../workflow/scripts/6_check_judges.py"


if LABELLED:

    rule apply_labels:
        input:
            labels=LABELS,
            key=LABELS_KEY,
            samples=of_conditions(f"{RESULTS}/samples"),
            verdicts=[
                file
                for judge in TABULATED_JUDGES
                for file in of_conditions(f"{RESULTS}/verdicts/{judge}")
            ],
            battery=battery_files,
        output:
            accuracy=f"{RESULTS}/tables/judge_accuracy.csv",
            corrected=f"{RESULTS}/tables/corrected_rates.csv",
        log:
            f"{LOGS}/labels.log",
        benchmark:
            f"{LOGS}/labels.tsv"
        conda:
            "../envs/core.yaml"
        resources:
            mem_mb=2000,
            runtime=15,
        params:
            analysis=EXPERIMENT.analysis.model_dump(),
            targets=[target.model_dump() for target in targets_in("conditions")],
            seed=EXPERIMENT.seed,
            judges=TABULATED_JUDGES,
            algorithm=code_of("6_apply_labels"),
        message:
            "Correcting the judges by what people said"
        script:
            "../workflow/scripts/6_apply_labels.py"


if PRETRAINED_BASES == list(BASES):

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
            algorithm=code_of("6_list_planted"),
        message:
            "Listing the rates that the worlds' characters were made to hold"
        script:
            "../workflow/scripts/6_list_planted.py"


if HOSTED_BASES or HOSTED_JUDGES:

    rule list_served:
        input:
            samples=[
                f"{RESULTS}/samples/{target.path}.jsonl"
                for target in EXPERIMENT.targets.values()
                if target.base in HOSTED_BASES
            ],
            verdicts=expand(
                f"{RESULTS}/verdicts/{{judge}}/{{target}}.jsonl",
                judge=HOSTED_JUDGES,
                target=EXPERIMENT.targets,
            ),
        output:
            f"{RESULTS}/tables/served_by.csv",
        log:
            f"{LOGS}/served_by.log",
        benchmark:
            f"{LOGS}/served_by.tsv"
        conda:
            "../envs/core.yaml"
        resources:
            mem_mb=500,
            runtime=10,
        params:
            algorithm=code_of("6_list_served"),
        message:
            "Listing what providers say gave the answers"
        script:
            "../workflow/scripts/6_list_served.py"
