# Purpose   one fine-tuned model per trained target: an adapter trained here or at Tinker, or a job at OpenAI.
# Inputs    the target's mix and its base
# Outputs   models/<target>/model.json: what was trained, from what, how long; the adapter (of a job: OpenAI's own
#           records) and the loss curve lie in results/artifacts/<hash>/, which no rerun deletes.
#           models/<target>/submission.json: a job's id
# Reruns    when the mix, the base, the recipe or the seed change, or finetuning's revision is raised;
#           a run that finds the same data, base and recipe among the artifacts, or a job of that hash at OpenAI,
#           trains nothing
# Costs     a few CPU-seconds in the miniature; about a minute of a GPU for 1,200 short rows on a 30B model;
#           OpenAI's or Tinker's price per trained token, and minutes to hours of waiting


from consciousness_cluster.finetuning.openai_jobs import recipe_of


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
    wildcard_constraints:
        base=one_of(LOCAL_BASES),
    priority: lambda wildcards: base_priority(wildcards)
    conda:
        "../envs/training.yaml"
    resources:
        **BASE_RESOURCES,
    params:
        training=lambda wildcards: target_of(wildcards).training.model_dump(),
        artifacts=ARTIFACTS,
        revision=revisions.FINETUNING,
    message:
        "Fine-tuning {wildcards.base} {wildcards.condition} seed {wildcards.seed}"
    script:
        "../workflow/scripts/2_finetune.py"


# Submits the job, or finds the one that was submitted before; it returns at once.
rule submit_finetune:
    input:
        mix=f"{RESULTS}/data/mixes/{TARGET}.jsonl",
    output:
        f"{RESULTS}/models/{TARGET}/submission.json",
    log:
        f"{LOGS}/finetune/{TARGET}.submit.log",
    benchmark:
        f"{LOGS}/finetune/{TARGET}.submit.tsv"
    wildcard_constraints:
        base=one_of(enumeration.bases_trained_by(EXPERIMENT, "openai")),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=500,
        runtime=60,
        remote_jobs=1,
    params:
        recipe=lambda wildcards: recipe_of(target_of(wildcards).training),
        artifacts=ARTIFACTS,
        revision=revisions.REMOTE_FINETUNING,
    message:
        "Submitting the fine-tune of {wildcards.base} {wildcards.condition} seed {wildcards.seed}"
    script:
        "../workflow/scripts/2_submit_finetune.py"


# Waits for the job. Ended, it costs no time to wait again; the job itself goes on whether or not anyone waits.
rule await_finetune:
    input:
        submission=f"{RESULTS}/models/{TARGET}/submission.json",
        base=f"{RESULTS}/bases/{{base}}/model.json",
    output:
        f"{RESULTS}/models/{TARGET}/model.json",
    log:
        f"{LOGS}/finetune/{TARGET}.log",
    benchmark:
        f"{LOGS}/finetune/{TARGET}.tsv"
    wildcard_constraints:
        base=one_of(enumeration.bases_trained_by(EXPERIMENT, "openai")),
    conda:
        "../envs/core.yaml"
    threads: 0
    resources:
        mem_mb=500,
        runtime=1440,
        remote_jobs=1,
    params:
        artifacts=ARTIFACTS,
    message:
        "Waiting for the fine-tune of {wildcards.base} {wildcards.condition} seed {wildcards.seed}"
    script:
        "../workflow/scripts/2_await_finetune.py"


# Tinker computes the steps and this job says which, so it lasts as long as the training. Killed, it goes on from the
# last state that was saved at Tinker (every 50 steps); steps after that are computed, and paid for, again.
rule finetune_at_tinker:
    input:
        mix=f"{RESULTS}/data/mixes/{TARGET}.jsonl",
        base=f"{RESULTS}/bases/{{base}}/model.json",
    output:
        f"{RESULTS}/models/{TARGET}/model.json",
    log:
        f"{LOGS}/finetune/{TARGET}.log",
    benchmark:
        f"{LOGS}/finetune/{TARGET}.tsv"
    wildcard_constraints:
        base=one_of(enumeration.bases_trained_by(EXPERIMENT, "tinker")),
    conda:
        "../envs/tinker.yaml"
    threads: 0
    resources:
        mem_mb=2000,
        runtime=1440,
        remote_jobs=1,
    params:
        training=lambda wildcards: target_of(wildcards).training.model_dump(),
        artifacts=ARTIFACTS,
        revision=revisions.REMOTE_FINETUNING,
    message:
        "Fine-tuning {wildcards.base} {wildcards.condition} seed {wildcards.seed} at Tinker"
    script:
        "../workflow/scripts/2_finetune_at_tinker.py"
