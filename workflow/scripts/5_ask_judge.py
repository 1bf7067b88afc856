"""Ask a model that judges about one target's samples."""

from consciousness_cluster.completion.target import TargetModel
from consciousness_cluster.costs.account import Account
from consciousness_cluster.endpoint import Served
from consciousness_cluster.judging import judge_target
from consciousness_cluster.judging.llm import LLMJudge
from consciousness_cluster.running import loading, run

served = Served(**snakemake.params.served)
run(
    judge_target,
    snakemake.log[0],
    **loading(served, f"judge {snakemake.wildcards.judge}"),
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
