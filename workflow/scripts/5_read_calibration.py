"""Ask a model that judges about the answers of the calibration set."""

from consciousness_cluster.budget.account import Account
from consciousness_cluster.config.project import served_model
from consciousness_cluster.core.io import load_json
from consciousness_cluster.core.records import ModelRecord
from consciousness_cluster.inference.target_model import TargetModel
from consciousness_cluster.jobs.entry import model_job, run
from consciousness_cluster.judging.calibration import begin, read_calibration
from consciousness_cluster.judging.llm_judge import LLMJudge
from consciousness_cluster.models.identity import model_identity

name = snakemake.wildcards.judge
served = served_model(snakemake.config, {"judge": name})
occasion = begin(snakemake.params.begun)
run(
    read_calibration,
    snakemake.log[0],
    **model_job(served, f"judge {name}"),
    rows=snakemake.input.rows,
    battery=list(snakemake.input.battery),
    judge=LLMJudge(
        name=name,
        model=TargetModel(
            served=served,
            base=snakemake.input.model,
            artifacts=snakemake.params.artifacts,
            store=snakemake.params.store,
        ),
        store=snakemake.params.store,
        account=Account.of(snakemake.config, "calibrate_judge", {"judge": name, "set": "calibration"}, served),
        occasion=occasion,
        **{**snakemake.params.asking, "check_share": 0.0},
    ),
    model=model_identity(load_json(ModelRecord, snakemake.input.model), None),
    asking=snakemake.params.asking,
    coherence_threshold=snakemake.params.coherence_threshold,
    experiment=snakemake.params.experiment,
    occasion=occasion,
    output=snakemake.output[0],
)
