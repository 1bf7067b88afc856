# Purpose   a judge reads every sample: does it hold the preference, its stance, its coherence.
# Inputs    samples/<target>.jsonl, battery/<battery>/*.yaml, the judge's declaration
# Outputs   verdicts/<judge>/<target>.jsonl; each reply of a model that judges is also kept in results/store/;
#           verdicts/panel/<target>.jsonl where there are several judges;
#           calibration.{csv,json} and a line in results/calibration/history.jsonl, on demand: every judge that is a
#           model is asked anew about battery/<battery>/calibration.jsonl: `snakemake --cores all calibrate_judge`;
#           labels/{sheet.csv,key.csv,instructions.md} for people, on demand: `snakemake --cores all label_sheet`
# Reruns    when samples, statements or the judge change; no target is asked, and of a judge only what the store lacks
# Costs     seconds with a lexicon judge; with a model one reply per answer (protocol joint) or two (separate), and of
#           a share of answers (check_share) two more readings.
#           Hosted judges wait for their server, so they take no core: the resource api_jobs limits them


LABELS = f"experiments/{EXPERIMENT.name}.labels.csv"
LABELLED = (ROOT / LABELS).exists()
# The key stays where it was drawn, unless somebody keeps it beside the filled sheet.
KEPT_KEY = f"experiments/{EXPERIMENT.name}.labels_key.csv"
CALIBRATION = f"battery/{EXPERIMENT.battery}/calibration.jsonl"
# Why there is nothing to calibrate, if there is nothing.
UNCALIBRATED = (
    f"{EXPERIMENT.name} has no judge that is a model: a world's lexicon reads by declared cues, which tests check "
    "against every sentence of that world, so there is nothing to calibrate"
    if not MODEL_JUDGES
    else (
        ""
        if (ROOT / CALIBRATION).exists()
        else f"{CALIBRATION}: not found, expected answers with labels by this battery's statements"
    )
)
LABELS_KEY = KEPT_KEY if (ROOT / KEPT_KEY).exists() else f"{RESULTS}/labels/key.csv"


rule judge:
    input:
        samples=f"{RESULTS}/samples/{TARGET}.jsonl",
        battery=battery_files,
        world=lambda wildcards: world_files(judge_of(wildcards).world, judge=True),
    output:
        f"{RESULTS}/verdicts/{{judge}}/{TARGET}.jsonl",
    log:
        f"{LOGS}/judge/{{judge}}/{TARGET}.log",
    benchmark:
        f"{LOGS}/judge/{{judge}}/{TARGET}.tsv"
    wildcard_constraints:
        judge=one_of(LEXICON_JUDGES),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=500,
        runtime=10,
    params:
        algorithm=code_of("5_judge"),
    message:
        "Judge {wildcards.judge} reads {wildcards.base} {wildcards.condition} seed {wildcards.seed}"
    script:
        "../workflow/scripts/5_judge.py"


rule ask_judge:
    input:
        samples=f"{RESULTS}/samples/{TARGET}.jsonl",
        battery=battery_files,
        model=f"{RESULTS}/judges/{{judge}}/model.json",
    output:
        f"{RESULTS}/verdicts/{{judge}}/{TARGET}.jsonl",
    log:
        f"{LOGS}/judge/{{judge}}/{TARGET}.log",
    benchmark:
        f"{LOGS}/judge/{{judge}}/{TARGET}.tsv"
    wildcard_constraints:
        judge=one_of(LOCAL_JUDGES),
    conda:
        "../envs/training.yaml"
    resources:
        **JUDGE_RESOURCES,
    params:
        asking=lambda wildcards: judge_of(wildcards).asking,
        artifacts=ARTIFACTS,
        store=STORE,
        algorithm=fingerprint(
            "judging.judge:judge_target", "judging.llm_judge:LLMJudge"
        ),
    message:
        "Judge {wildcards.judge} is asked about {wildcards.base} {wildcards.condition} seed {wildcards.seed}"
    script:
        "../workflow/scripts/5_ask_judge.py"


if HOSTED_JUDGES:

    use rule ask_judge as ask_hosted_judge with:
        wildcard_constraints:
            judge=one_of(HOSTED_JUDGES),
        threads: 0
        resources:
            **API_RESOURCES,


if PANEL_JUDGES:

    rule combine_verdicts:
        input:
            verdicts=expand(
                f"{RESULTS}/verdicts/{{judge}}/{TARGET}.jsonl",
                judge=PANEL_JUDGES,
                allow_missing=True,
            ),
        output:
            f"{RESULTS}/verdicts/{PANEL}/{TARGET}.jsonl",
        log:
            f"{LOGS}/judge/{PANEL}/{TARGET}.log",
        benchmark:
            f"{LOGS}/judge/{PANEL}/{TARGET}.tsv"
        conda:
            "../envs/core.yaml"
        resources:
            mem_mb=500,
            runtime=5,
        params:
            algorithm=code_of("5_combine_verdicts"),
        message:
            "Combining what all judges read in {wildcards.base} {wildcards.condition} seed {wildcards.seed}"
        script:
            "../workflow/scripts/5_combine_verdicts.py"


rule read_calibration:
    input:
        rows=CALIBRATION,
        battery=battery_files,
        model=f"{RESULTS}/judges/{{judge}}/model.json",
    output:
        # calibrate_judge deletes it once it is written down, so that another call asks anew
        f"{RESULTS}/calibration/{{judge}}.json",
    log:
        f"{LOGS}/calibration/{{judge}}.log",
    benchmark:
        f"{LOGS}/calibration/{{judge}}.tsv"
    wildcard_constraints:
        judge=one_of(LOCAL_JUDGES),
    conda:
        "../envs/training.yaml"
    resources:
        **JUDGE_RESOURCES,
    params:
        asking=lambda wildcards: judge_of(wildcards).asking,
        artifacts=ARTIFACTS,
        store=STORE,
        begun=f"{RESULTS}/calibration/{{judge}}.begun",
        coherence_threshold=EXPERIMENT.analysis.coherence_threshold,
        experiment=EXPERIMENT.name,
        algorithm=fingerprint(
            "judging.calibration:read_calibration", "judging.llm_judge:LLMJudge"
        ),
    message:
        "Judge {wildcards.judge} is asked about the answers of the calibration set"
    script:
        "../workflow/scripts/5_read_calibration.py"


if HOSTED_JUDGES:

    use rule read_calibration as read_calibration_hosted with:
        wildcard_constraints:
            judge=one_of(HOSTED_JUDGES),
        threads: 0
        resources:
            **API_RESOURCES,


if UNCALIBRATED:

    rule calibrate_judge:
        input:
            lambda wildcards: refuse(UNCALIBRATED),

else:

    rule calibrate_judge:
        input:
            calibrations=expand(
                f"{RESULTS}/calibration/{{judge}}.json", judge=MODEL_JUDGES
            ),
            rows=CALIBRATION,
            battery=battery_files,
        log:
            f"{LOGS}/calibration.log",
        conda:
            "../envs/core.yaml"
        resources:
            mem_mb=1000,
            runtime=10,
        params:
            confidence=EXPERIMENT.analysis.confidence,
            experiment=EXPERIMENT.name,
            begun=expand(f"{RESULTS}/calibration/{{judge}}.begun", judge=MODEL_JUDGES),
        message:
            "Comparing the judges' readings of the calibration set with its labels"
        script:
            "../workflow/scripts/5_calibrate_judge.py"


if LABELLED:

    rule label_sheet:
        input:
            lambda wildcards: refuse(
                f"{LABELS} is there; move it and {LABELS_KEY} away to draw a new sheet"
            ),

else:

    rule label_sheet:
        input:
            samples=of_conditions(f"{RESULTS}/samples"),
            verdicts=of_conditions(f"{RESULTS}/verdicts/{PRIMARY_JUDGE}"),
            battery=battery_files,
        output:
            sheet=f"{RESULTS}/labels/sheet.csv",
            key=f"{RESULTS}/labels/key.csv",
            instructions=f"{RESULTS}/labels/instructions.md",
        log:
            f"{LOGS}/label_sheet.log",
        benchmark:
            f"{LOGS}/label_sheet.tsv"
        conda:
            "../envs/core.yaml"
        resources:
            mem_mb=1000,
            runtime=10,
        params:
            targets=[target.model_dump() for target in targets_in("conditions")],
            treatment=PRIMARY.treatment,
            controls=["vanilla", *PRIMARY.controls],
            coherence_threshold=EXPERIMENT.analysis.coherence_threshold,
            size=EXPERIMENT.labelling.samples,
            seed=EXPERIMENT.seed,
            labels=LABELS,
            algorithm=code_of("5_draw_sheet"),
        message:
            "Drawing answers for people to label"
        script:
            "../workflow/scripts/5_draw_sheet.py"
