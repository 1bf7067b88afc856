# Purpose   every target answers every prompt of the battery.
# Inputs    battery/<battery>/*.yaml, the base, the target's adapter
# Outputs   samples/<target>.jsonl; each answer is also kept in results/store/
# Reruns    when the battery, the model or the sampling parameters change; only answers that the store lacks are asked
# Costs     prompts x samples_per_prompt answers per target. Jobs of hosted models wait for their server, so they take no
#           core: the resource api_jobs limits them


rule sample:
    input:
        unpack(model_of),
        battery=battery_files,
    output:
        f"{RESULTS}/samples/{TARGET}.jsonl",
    log:
        f"{LOGS}/sample/{TARGET}.log",
    benchmark:
        f"{LOGS}/sample/{TARGET}.tsv"
    wildcard_constraints:
        base=none_of(HOSTED_BASES),
    priority: lambda wildcards: base_priority(wildcards, trains=False)
    conda:
        "../envs/training.yaml"
    resources:
        **BASE_RESOURCES,
    params:
        system_prompt=lambda wildcards: target_of(wildcards).system_prompt,
        sampling=EXPERIMENT.sampling.model_dump(),
        artifacts=ARTIFACTS,
        store=STORE,
        revision=revisions.SAMPLING,
    message:
        "Asking {wildcards.base} {wildcards.condition} seed {wildcards.seed} the battery"
    script:
        "../workflow/scripts/3_sample.py"


if HOSTED_BASES:

    use rule sample as sample_hosted with:
        wildcard_constraints:
            base=one_of(HOSTED_BASES),
        threads: 0
        resources:
            **API_RESOURCES,
