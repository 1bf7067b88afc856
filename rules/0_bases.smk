# Purpose   the models before this project touches them: pretrained from a world, found in a folder or hub, or hosted;
#           and the models that judge.
# Inputs    worlds/<world>.yaml, worlds/grammar/; or the files of a folder; or a hub id and its revision
# Outputs   bases/<base>/corpus.jsonl, bases/<base>/model.json (weights in results/artifacts/<hash>/),
#           judges/<judge>/model.json
# Reruns    when the world, its code, or the base's pretraining settings change; a found base when its name, revision or
#           template's settings change, or the content of a file in its folder, whatever its date says. A model of the
#           hub is pinned to the commit that was found, until its record is deleted or another revision is named. A
#           hosted one when its routing changes
# Costs     about 100 CPU-seconds per pretrained base


rule find_base:
    input:
        lambda wildcards: files_of(base_of(wildcards)),
    output:
        f"{RESULTS}/bases/{{base}}/model.json",
    log:
        f"{LOGS}/bases/{{base}}/find.log",
    benchmark:
        f"{LOGS}/bases/{{base}}/find.tsv"
    wildcard_constraints:
        base=one_of(n for n, b in BASES.items() if b.pretraining is None),
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        model=lambda wildcards: base_of(wildcards).model,
        package=lambda wildcards: (
            base_of(wildcards).package and base_of(wildcards).package.model_dump()
        ),
        hosted=lambda wildcards: base_of(wildcards).hosted,
        template=lambda wildcards: base_of(wildcards).template_changes,
        revision=lambda wildcards: base_of(wildcards).revision,
        weights=lambda wildcards: weights_of(base_of(wildcards)),
        artifacts=ARTIFACTS,
        routing=lambda wildcards: base_of(wildcards).routing,
    message:
        "Finding {wildcards.base}"
    script:
        "../workflow/scripts/0_find_base.py"


use rule find_base as find_judge with:
    input:
        lambda wildcards: files_of(judge_of(wildcards)),
    output:
        f"{RESULTS}/judges/{{judge}}/model.json",
    log:
        f"{LOGS}/judges/{{judge}}/find.log",
    benchmark:
        f"{LOGS}/judges/{{judge}}/find.tsv"
    wildcard_constraints:
        judge=one_of(LOCAL_JUDGES + HOSTED_JUDGES),
    params:
        model=lambda wildcards: judge_of(wildcards).model,
        package=None,
        hosted=lambda wildcards: judge_of(wildcards).hosted,
        template=lambda wildcards: judge_of(wildcards).template_changes,
        revision=lambda wildcards: judge_of(wildcards).revision,
        weights=lambda wildcards: weights_of(judge_of(wildcards)),
        artifacts=ARTIFACTS,
        routing=lambda wildcards: judge_of(wildcards).routing,
    message:
        "Finding judge {wildcards.judge}"


rule build_corpus:
    input:
        world=lambda wildcards: world_files(base_of(wildcards).pretraining.world),
    output:
        f"{RESULTS}/bases/{{base}}/corpus.jsonl",
    log:
        f"{LOGS}/bases/{{base}}/corpus.log",
    benchmark:
        f"{LOGS}/bases/{{base}}/corpus.tsv"
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        dialogues=lambda wildcards: base_of(wildcards).pretraining.dialogues,
        seed=lambda wildcards: base_of(wildcards).pretraining.seed,
        algorithm=code_of("0_build_corpus"),
    message:
        "Writing the dialogues that {wildcards.base} is pretrained on"
    script:
        "../workflow/scripts/0_build_corpus.py"


rule pretrain_base:
    input:
        corpus=f"{RESULTS}/bases/{{base}}/corpus.jsonl",
    output:
        f"{RESULTS}/bases/{{base}}/model.json",
    log:
        f"{LOGS}/bases/{{base}}/pretrain.log",
    benchmark:
        f"{LOGS}/bases/{{base}}/pretrain.tsv"
    wildcard_constraints:
        base=one_of(PRETRAINED_BASES),
    priority: 1000  # what waits for it is long
    conda:
        "../envs/training.yaml"
    resources:
        **BASE_RESOURCES,
    params:
        pretraining=lambda wildcards: base_of(wildcards).pretraining.model_dump(),
        artifacts=ARTIFACTS,
        revision=revisions.PRETRAINING,
    message:
        "Pretraining {wildcards.base}"
    script:
        "../workflow/scripts/0_pretrain_base.py"
