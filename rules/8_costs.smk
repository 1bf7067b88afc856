# Purpose   what a run did cost.
# Inputs    results/ledger/<experiment>.jsonl: what every job asked for and paid, kept whatever is deleted or rerun
# Outputs   receipt.csv, also written at the end of every run; nothing depends on it
# Reruns    whenever it is asked for by name, and never otherwise
# Costs     nothing


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


onsuccess:
    say_costs()


onerror:
    say_costs()
