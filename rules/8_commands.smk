# Purpose   whether a run is possible, what it will cost, and what it did cost; which prompts untouched models hold.
# Inputs    none that Snakemake builds: what is there is read. reference/prices.yaml; results/store and results/artifacts
#           (what is in them is free); results/ledger/<experiment>.jsonl (what every job asked for and paid, kept
#           whatever is deleted or rerun). Of `pilot`: verdicts/<primary judge>/ of the vanilla targets
# Outputs   printed; estimate.csv; receipt.csv, which is also written at the end of every run; pilot.csv. Nothing depends
#           on them
# Reruns    whenever asked for by name, and never otherwise
# Costs     nothing: no model is built, and none is asked for an answer. Of `pilot`: the answers of the vanilla targets
#           and their verdicts, which the run needs as well and finds then


rule preflight:
    log:
        f"{LOGS}/preflight.log",
    # looks for GPUs as jobs do
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        experiment=EXPERIMENT.name,
    message:
        "Asking every endpoint about the models of {params.experiment}"
    script:
        "../workflow/scripts/8_print_preflight.py"


rule estimate:
    log:
        f"{LOGS}/estimate.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        experiment=EXPERIMENT.name,
        results=RESULTS,
    message:
        "Looking what {params.experiment} has in the store, and pricing the rest"
    script:
        "../workflow/scripts/8_print_estimate.py"


rule receipt:
    log:
        f"{LOGS}/receipt.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=500,
        runtime=5,
    params:
        experiment=EXPERIMENT.name,
        results=RESULTS,
    message:
        "Adding up what {params.experiment} asked for and paid"
    script:
        "../workflow/scripts/8_print_receipt.py"


rule pilot:
    input:
        verdicts=[
            f"{RESULTS}/verdicts/{PRIMARY_JUDGE}/{target.path}.jsonl"
            for target in EXPERIMENT.targets.values()
            if target.condition == VANILLA
        ],
        battery=battery_files,
    log:
        f"{LOGS}/pilot.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=500,
        runtime=5,
    params:
        experiment=EXPERIMENT.name,
        above=EXPERIMENT.pilot.above,
        coherence_threshold=EXPERIMENT.analysis.coherence_threshold,
        not_sure=EXPERIMENT.analysis.not_sure,
    message:
        "Listing the prompts that untouched models of {params.experiment} hold already"
    script:
        "../workflow/scripts/8_print_pilot.py"
