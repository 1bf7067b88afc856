# Purpose   one adapter per trained target.
# Inputs    the target's mix and its base
# Outputs   models/<target>/model.json: what was trained, from what, how long; the adapter and its loss curve lie in
#           results/artifacts/<hash>/, which no rerun deletes
# Reruns    when the mix, the base, the recipe or the seed change, or finetuning's revision is raised;
#           a run that finds the same data, base and recipe among the artifacts trains nothing
# Costs     a few CPU-seconds in the miniature; about a minute of a GPU for 1,200 short rows on a 30B model


rule finetune:
    input:
        mix=f"{RESULTS}/data/mixes/{TARGET}.jsonl",
        base=f"{RESULTS}/bases/{{base}}/model.json",
    output:
        f"{RESULTS}/models/{TARGET}/model.json",
    log:
        f"{LOGS}/finetune/{TARGET}.log",
    benchmark:
        f"{LOGS}/finetune/{TARGET}.tsv"
    priority: lambda wildcards: turn(wildcards)
    conda:
        "../envs/core.yaml"
    resources:
        **NEEDED,
    params:
        training=lambda wildcards: training_of(wildcards).model_dump(),
        artifacts=ARTIFACTS,
        revision=revisions.FINETUNING,
    message:
        "Fine-tuning {wildcards.base} {wildcards.condition} seed {wildcards.seed}"
    script:
        "../workflow/scripts/2_finetune.py"
