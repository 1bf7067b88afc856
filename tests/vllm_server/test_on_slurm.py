"""vLLM in jobs of a real Slurm: its environment is found there, and each job ends with its server."""

import copy

from slurm.conftest import cluster, local  # noqa: F401
from slurm.project import ON_SLURM, TINY

from consciousness_cluster.inference.vllm_environment import FOLDER
from vllm_server.conftest import ROOT

CONDITIONS = {"vanilla": "vanilla/seed0", "conscious_claiming": "conscious_claiming/seed1"}


def test_targets_are_sampled_with_vllm_in_slurm_jobs(interpreter, local, cluster, tmp_path):  # noqa: F811
    project = local.copy(tmp_path / "project")
    (project.folder / FOLDER).symlink_to(ROOT / FOLDER)
    experiment = copy.deepcopy(TINY)
    experiment["bases"]["tiny"] |= {"endpoint": "vllm", "needs": {"memory": 8}}
    experiment["conditions"] = {name: TINY["conditions"][name] for name in CONDITIONS}
    experiment["ablations"] = {}
    experiment["sampling"]["samples_per_prompt"] = 2  # the second of each is new
    project.write_experiment(experiment)

    run = project.snakemake(
        "--profile", "slurm", *(f"results/small/samples/tiny/{p}.jsonl" for p in CONDITIONS.values())
    )

    assert run.code == 0, run.text
    on_slurm = {start["rule"] for start in project.where() if start["job"]}
    assert "sample" in on_slurm <= ON_SLURM
    for path in CONDITIONS.values():
        log = (project.folder / f"results/small/logs/sample/tiny/{path}.log").read_text()
        assert "120 requests, 60 in the store, 60 to ask" in log
        assert "starting vLLM" in log
        assert len((project.folder / f"results/small/samples/tiny/{path}.jsonl").read_text().splitlines()) == 120
    assert {job["JobState"] for job in project.slurm_jobs()} == {"COMPLETED"}
