"""Let a base answer the instruction prompts itself."""

from consciousness_cluster.budget.account import Account
from consciousness_cluster.config.project import served_model
from consciousness_cluster.inference.target_model import TargetModel
from consciousness_cluster.jobs.entry import model_job, run
from consciousness_cluster.synthesis.own_answers import answer_instructions

served = served_model(snakemake.config, dict(snakemake.wildcards.items()))
run(
    answer_instructions,
    snakemake.log[0],
    **model_job(served, snakemake.wildcards.base),
    prompts=snakemake.input.prompts,
    model=TargetModel(
        served=served,
        base=snakemake.input.base,
        artifacts=snakemake.params.artifacts,
        store=snakemake.params.store,
    ),
    store=snakemake.params.store,
    max_tokens=snakemake.params.max_tokens,
    output=snakemake.output[0],
    account=Account.of(snakemake.config, "answer_instructions", dict(snakemake.wildcards.items()), served),
)
