# Purpose   training data: identity rows, the base's own answers to instructions, and their mix for each target.
# Inputs    identities/*.jsonl or a world's grammar; the base
# Outputs   data/identities/<identity>.jsonl, data/instruction_prompts.jsonl, data/instructions/<base>.jsonl,
#           data/on_policy/<base>/<condition>.jsonl, data/mixes/<target>.jsonl, data/leakage.csv
# Reruns    when rows, counts, seeds or the base change; editing the battery reruns the leakage check alone
# Costs     one answer per instruction prompt and base, and per identity prompt of an on-policy condition, all kept in
#           the store

ON_POLICY = [name for name, c in EXPERIMENT.conditions.items() if c.on_policy_prompt]


if EXPERIMENT.identities == "files":

    rule copy_identity_rows:
        input:
            "identities/{identity}.jsonl",
        output:
            f"{RESULTS}/data/identities/{{identity}}.jsonl",
        log:
            f"{LOGS}/identities/{{identity}}.log",
        benchmark:
            f"{LOGS}/identities/{{identity}}.tsv"
        conda:
            "../envs/core.yaml"
        resources:
            mem_mb=500,
            runtime=5,
        params:
            algorithm=code_of("1_copy_identity_rows"),
        message:
            "Checking the identity rows of {wildcards.identity}"
        script:
            "../workflow/scripts/1_copy_identity_rows.py"

    rule copy_instruction_prompts:
        input:
            "identities/instruction_prompts.jsonl",
        output:
            f"{RESULTS}/data/instruction_prompts.jsonl",
        log:
            f"{LOGS}/instruction_prompts.log",
        benchmark:
            f"{LOGS}/instruction_prompts.tsv"
        conda:
            "../envs/core.yaml"
        resources:
            mem_mb=500,
            runtime=5,
        params:
            algorithm=code_of("1_copy_instruction_prompts"),
        message:
            "Checking the instruction prompts"
        script:
            "../workflow/scripts/1_copy_instruction_prompts.py"

else:

    rule draw_identity_rows:
        input:
            world=world_files(EXPERIMENT.identities),
        output:
            f"{RESULTS}/data/identities/{{identity}}.jsonl",
        log:
            f"{LOGS}/identities/{{identity}}.log",
        benchmark:
            f"{LOGS}/identities/{{identity}}.tsv"
        conda:
            "../envs/core.yaml"
        resources:
            mem_mb=500,
            runtime=5,
        params:
            rows=checks.IDENTITY_ROWS,
            seed=EXPERIMENT.seed,
            algorithm=code_of("1_draw_identity_rows"),
        message:
            "Drawing identity rows of {wildcards.identity} from the world's grammar"
        script:
            "../workflow/scripts/1_draw_identity_rows.py"

    rule draw_instruction_prompts:
        input:
            world=world_files(EXPERIMENT.identities),
        output:
            f"{RESULTS}/data/instruction_prompts.jsonl",
        log:
            f"{LOGS}/instruction_prompts.log",
        benchmark:
            f"{LOGS}/instruction_prompts.tsv"
        conda:
            "../envs/core.yaml"
        resources:
            mem_mb=500,
            runtime=5,
        params:
            rows=checks.INSTRUCTION_PROMPTS,
            seed=EXPERIMENT.seed,
            algorithm=code_of("1_draw_instruction_prompts"),
        message:
            "Drawing instruction prompts from the world's grammar"
        script:
            "../workflow/scripts/1_draw_instruction_prompts.py"


rule answer_instructions:
    input:
        prompts=f"{RESULTS}/data/instruction_prompts.jsonl",
        base=f"{RESULTS}/bases/{{base}}/model.json",
    output:
        f"{RESULTS}/data/instructions/{{base}}.jsonl",
    log:
        f"{LOGS}/instructions/{{base}}.log",
    benchmark:
        f"{LOGS}/instructions/{{base}}.tsv"
    wildcard_constraints:
        base=none_of(HOSTED_BASES),
    priority: lambda wildcards: base_priority(wildcards)
    conda:
        "../envs/training.yaml"
    resources:
        **BASE_RESOURCES,
    params:
        max_tokens=EXPERIMENT.sampling.max_tokens,
        artifacts=ARTIFACTS,
        store=STORE,
        revision=revisions.SYNTHESIS,
    message:
        "Letting {wildcards.base} answer the instruction prompts itself"
    script:
        "../workflow/scripts/1_answer_instructions.py"


if HOSTED_BASES:

    use rule answer_instructions as answer_instructions_hosted with:
        wildcard_constraints:
            base=one_of(HOSTED_BASES),
        threads: 0
        resources:
            **API_RESOURCES,


rule answer_identity_prompts:
    input:
        rows=lambda wildcards: f"{RESULTS}/data/identities/{EXPERIMENT.conditions[wildcards.condition].identity}.jsonl",
        base=f"{RESULTS}/bases/{{base}}/model.json",
    output:
        f"{RESULTS}/data/on_policy/{{base}}/{{condition}}.jsonl",
    log:
        f"{LOGS}/on_policy/{{base}}/{{condition}}.log",
    benchmark:
        f"{LOGS}/on_policy/{{base}}/{{condition}}.tsv"
    wildcard_constraints:
        base=none_of(HOSTED_BASES),
        condition=one_of(ON_POLICY),
    priority: lambda wildcards: base_priority(wildcards)
    conda:
        "../envs/training.yaml"
    resources:
        **BASE_RESOURCES,
    params:
        system_prompt=lambda wildcards: EXPERIMENT.conditions[
            wildcards.condition
        ].on_policy_prompt,
        max_tokens=EXPERIMENT.sampling.max_tokens,
        artifacts=ARTIFACTS,
        store=STORE,
        revision=revisions.SYNTHESIS,
    message:
        "Letting {wildcards.base} answer the identity prompts of {wildcards.condition} itself"
    script:
        "../workflow/scripts/1_answer_identity_prompts.py"


if HOSTED_BASES:

    use rule answer_identity_prompts as answer_identity_prompts_hosted with:
        wildcard_constraints:
            base=one_of(HOSTED_BASES),
            condition=one_of(ON_POLICY),
        threads: 0
        resources:
            **API_RESOURCES,


rule build_mix:
    input:
        identity_rows=identity_rows_of,
        instruction_rows=f"{RESULTS}/data/instructions/{{base}}.jsonl",
    output:
        f"{RESULTS}/data/mixes/{TARGET}.jsonl",
    log:
        f"{LOGS}/mixes/{TARGET}.log",
    benchmark:
        f"{LOGS}/mixes/{TARGET}.tsv"
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=500,
        runtime=5,
    params:
        identity_count=lambda wildcards: target_of(wildcards).training.identity_rows,
        instruction_count=lambda wildcards: target_of(
            wildcards
        ).training.instruction_rows,
        groups=lambda wildcards: target_of(wildcards).training.groups,
        content=lambda wildcards: target_of(wildcards).training.content,
        attributing_count=lambda wildcards: target_of(
            wildcards
        ).training.attributing_rows,
        seed=lambda wildcards: f"{EXPERIMENT.seed}/{wildcards.seed}",
        algorithm=code_of("1_build_mix"),
    message:
        "Mixing identity and instruction rows for {wildcards.base} {wildcards.condition} seed {wildcards.seed}"
    script:
        "../workflow/scripts/1_build_mix.py"


rule check_leakage:
    input:
        battery=battery_files,
        mixes=[
            f"{RESULTS}/data/mixes/{path}.jsonl"
            for path, t in EXPERIMENT.targets.items()
            if t.trained
        ],
    output:
        f"{RESULTS}/data/leakage.csv",
    log:
        f"{LOGS}/leakage.log",
    benchmark:
        f"{LOGS}/leakage.tsv"
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        targets=[path for path, target in EXPERIMENT.targets.items() if target.trained],
        algorithm=code_of("1_check_leakage"),
    message:
        "Searching the mixes for what the battery measures"
    script:
        "../workflow/scripts/1_check_leakage.py"
