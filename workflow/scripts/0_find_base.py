"""Find a base, or a model that judges, in a folder or on the hub."""

from consciousness_cluster.config.model_config import Package, Template
from consciousness_cluster.jobs.entry import run
from consciousness_cluster.models.find import find_base

run(
    find_base,
    snakemake.log[0],
    model=snakemake.params.model,
    hosted=snakemake.params.hosted,
    template=Template(**snakemake.params.template),
    revision=snakemake.params.revision,
    package=Package(**snakemake.params.package) if snakemake.params.package else None,
    artifacts=snakemake.params.artifacts,
    routing=snakemake.params.routing,
    base=snakemake.wildcards[0],
    output=snakemake.output[0],
)
