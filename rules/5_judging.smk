# Purpose   a judge reads every sample: does it hold the preference, its stance, its coherence.
# Inputs    samples/<target>.jsonl, battery/<battery>/*.yaml, the judge's declaration
# Outputs   verdicts/<judge>/<target>.jsonl
# Reruns    when samples, statements or the judge change; no target is asked
# Costs     seconds with the lexicon judge


rule judge:
    input:
        samples=f"{RESULTS}/samples/{TARGET}.jsonl",
        battery=battery_files,
        world=lambda wildcards: world_files(
            EXPERIMENT.judges[wildcards.judge].world, judge=True
        ),
    output:
        f"{RESULTS}/verdicts/{{judge}}/{TARGET}.jsonl",
    log:
        f"{LOGS}/judge/{{judge}}/{TARGET}.log",
    benchmark:
        f"{LOGS}/judge/{{judge}}/{TARGET}.tsv"
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=500,
        runtime=10,
    params:
        algorithm=fingerprint("judging", "judging.lexicon"),
    message:
        "Judge {wildcards.judge} reads {wildcards.base} {wildcards.condition} seed {wildcards.seed}"
    script:
        "../workflow/scripts/5_judge.py"
