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


def say_costs():
    """Write the receipt at the end of a run; say what was paid if anything was."""
    if workflow.is_main_process and Path(f"{LEDGER}/{EXPERIMENT.name}.jsonl").exists():
        summary = write_receipt(EXPERIMENT.name, RESULTS).splitlines()[-1]
        if not summary.startswith("0.0000 USD"):
            print(summary, file=sys.stderr)


onsuccess:
    say_costs()


onerror:
    say_costs()
