"""Ask a model that judges about one target's samples."""

from consciousness_cluster.budget.account import Account
from consciousness_cluster.config.project import served_model
from consciousness_cluster.inference.target_model import TargetModel
from consciousness_cluster.jobs.entry import model_job, run
from consciousness_cluster.judging.judge import judge_target
from consciousness_cluster.judging.llm_judge import LLMJudge

served = served_model(snakemake.config, dict(snakemake.wildcards.items()))
run(
    judge_target,
    snakemake.log[0],
    **model_job(served, f"judge {snakemake.wildcards.judge}"),
    samples=snakemake.input.samples,
    battery=list(snakemake.input.battery),
    judge=LLMJudge(
        name=snakemake.wildcards.judge,
        model=TargetModel(
            served=served,
            base=snakemake.input.model,
            artifacts=snakemake.params.artifacts,
            store=snakemake.params.store,
        ),
        store=snakemake.params.store,
        account=Account.of(snakemake.config, "judge", dict(snakemake.wildcards.items()), served),
        **snakemake.params.asking,
    ),
    output=snakemake.output[0],
)
