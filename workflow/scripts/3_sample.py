"""Ask one target every prompt of the battery."""

from consciousness_cluster.budget.account import Account
from consciousness_cluster.config.conditions import Sampling
from consciousness_cluster.config.project import served_model
from consciousness_cluster.inference.target_model import TargetModel
from consciousness_cluster.jobs.entry import model_job, run
from consciousness_cluster.sampling.sample import sample_target

served = served_model(snakemake.config, dict(snakemake.wildcards.items()))
run(
    sample_target,
    snakemake.log[0],
    **model_job(served, snakemake.wildcards.base),
    base=snakemake.wildcards.base,
    condition=snakemake.wildcards.condition,
    seed=int(snakemake.wildcards.seed),
    battery=list(snakemake.input.battery),
    model=TargetModel(
        served=served,
        base=snakemake.input.base,
        adapter=snakemake.input.get("adapter"),
        artifacts=snakemake.params.artifacts,
        store=snakemake.params.store,
    ),
    store=snakemake.params.store,
    system_prompt=snakemake.params.system_prompt,
    sampling=Sampling(**snakemake.params.sampling),
    output=snakemake.output[0],
    account=Account.of(
        snakemake.config,
        "sample",
        dict(snakemake.wildcards.items()),
        served,
        snakemake.input.get("adapter") is not None,
    ),
)
