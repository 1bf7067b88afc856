# Purpose   the models before this project touches them: pretrained from a world, or found in a folder or hub.
# Inputs    worlds/<world>.yaml, worlds/grammar/
# Outputs   bases/<base>/corpus.jsonl, bases/<base>/model.json (weights in results/artifacts/<hash>/)
# Reruns    when the world, its code, or the base's pretraining settings change
# Costs     about 100 CPU-seconds per pretrained base


rule build_corpus:
    input:
        world=lambda wildcards: world_files(base_of(wildcards).pretraining.world),
    output:
        f"{RESULTS}/bases/{{base}}/corpus.jsonl",
    params:
        dialogues=lambda wildcards: base_of(wildcards).pretraining.dialogues,
        seed=lambda wildcards: base_of(wildcards).pretraining.seed,
        algorithm=fingerprint("miniature.corpus"),
    log:
        f"{LOGS}/bases/{{base}}/corpus.log",
    benchmark:
        f"{LOGS}/bases/{{base}}/corpus.tsv"
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../envs/core.yaml"
    message:
        "Writing the dialogues that {wildcards.base} is pretrained on"
    script:
        "../workflow/scripts/0_build_corpus.py"


rule pretrain_base:
    input:
        corpus=f"{RESULTS}/bases/{{base}}/corpus.jsonl",
    output:
        f"{RESULTS}/bases/{{base}}/model.json",
    params:
        pretraining=lambda wildcards: base_of(wildcards).pretraining.model_dump(),
        artifacts=ARTIFACTS,
        revision=revisions.PRETRAINING,
    log:
        f"{LOGS}/bases/{{base}}/pretrain.log",
    benchmark:
        f"{LOGS}/bases/{{base}}/pretrain.tsv"
    resources:
        mem_mb=2000,
        runtime=30,
    conda:
        "../envs/core.yaml"
    message:
        "Pretraining {wildcards.base}"
    script:
        "../workflow/scripts/0_pretrain_base.py"
