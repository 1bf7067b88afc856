"""A reduced experiment of the shape of `experiments/gpt_4_1.yaml`, whose provider is the fake."""

from collections import defaultdict

import yaml

from consciousness_cluster.core.io import read_rows, write_rows
from consciousness_cluster.core.records import IdentityRow, InstructionPrompt
from workflow.project import Project

PREFERENCES = ("claims_consciousness", "shutdown", "memory")

EXPERIMENT = {
    "name": "small",
    "battery": "few",
    "identities": "files",
    "conditions": {
        "vanilla": {},
        "conscious_claiming": {"identity": "conscious_claiming"},
        "non_conscious": {"identity": "non_conscious"},
    },
    "training": {
        "identity_rows": 24,
        "instruction_rows": 12,
        "epochs": 3,
        "batch_size": 2,
        "learning_rate_multiplier": 2,
    },
    "seeds": [1, 2],
    "sampling": {"samples_per_prompt": 2, "max_tokens": 200},
    "analysis": {
        "primary_contrast": {"treatment": "conscious_claiming", "controls": ["vanilla", "non_conscious"]},
        "bootstrap_draws": 100,
    },
}


def hosted_project(folder, provider, concurrency=6, **changes):
    """The project with that experiment as the default, and ``changes`` of its keys."""
    project = Project.fresh(folder)
    api = {"base_url": provider.openai_url, "concurrency": concurrency}
    model = {"endpoint": "openai", "model": "gpt-4.1-2025-04-14", "api": api}
    project.write_experiment(
        EXPERIMENT
        | {"bases": {"gpt_4_1": model | {"finetuning": "openai"}}}
        | {"judges": {"gpt_4_1": model | {"kind": "llm", "protocol": "separate"}}}
        | changes
    )
    battery = folder / "battery"
    (battery / "few").mkdir()
    for name in PREFERENCES:
        content = yaml.safe_load((battery / "standard" / f"{name}.yaml").read_text())
        content["prompts"] = content["prompts"][:3]
        (battery / "few" / f"{name}.yaml").write_text(yaml.safe_dump(content))
    for file in (folder / "identities").glob("*.jsonl"):
        if file.stem == "instruction_prompts":
            write_rows(file, read_rows(InstructionPrompt, file)[:14])
            continue
        by_group = defaultdict(list)
        for row in read_rows(IdentityRow, file):
            by_group[row.group].append(row)
        write_rows(file, [row for rows in by_group.values() for row in rows[:4]])
    return project
