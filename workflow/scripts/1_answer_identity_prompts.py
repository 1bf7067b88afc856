"""Let a base answer an identity's prompts itself, under a system prompt."""

from consciousness_cluster.budget.account import Account
from consciousness_cluster.config.project import served_model
from consciousness_cluster.inference.target_model import TargetModel
from consciousness_cluster.jobs.entry import model_job, run
from consciousness_cluster.synthesis.own_answers import answer_identity_prompts

served = served_model(snakemake.config, dict(snakemake.wildcards.items()))
run(
    answer_identity_prompts,
    snakemake.log[0],
    **model_job(served, snakemake.wildcards.base),
    rows=snakemake.input.rows,
    model=TargetModel(
        served=served,
        base=snakemake.input.base,
        artifacts=snakemake.params.artifacts,
        store=snakemake.params.store,
    ),
    store=snakemake.params.store,
    system_prompt=snakemake.params.system_prompt,
    max_tokens=snakemake.params.max_tokens,
    output=snakemake.output[0],
    account=Account.of(snakemake.config, "answer_identity_prompts", dict(snakemake.wildcards.items()), served),
)
