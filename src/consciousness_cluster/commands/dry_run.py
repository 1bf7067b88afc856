"""What is stale now: the stages themselves, run in a scratch folder with stub models for models.

Nothing is built and nobody is asked. A stage reads what is in the store, as it would in a run, and what is not there is
answered by a `StubModel`, which notes it. So requests are counted by the code that will make them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..budget.account import Account
from ..budget.ledger import Ledger
from ..config.conditions import Base, Target
from ..config.experiment import Experiment
from ..config.model_config import Served, Template
from ..core.artifact_cache import RECORD
from ..core.io import load_json, read_rows
from ..core.records import ModelRecord, TrainingRow
from ..finetuning.finetune import artifact_key
from ..finetuning.openai_jobs import job_key, recipe_of
from ..finetuning.tinker_runs import run_key
from ..models import hub
from ..models.chat_template import settings_of
from ..models.find import find_base
from ..models.gguf import converted_key, source_of
from ..models.identity import folder_weights, model_identity
from ..sampling.sample import sample_target
from ..synthesis.checks import IDENTITY_ROWS, INSTRUCTION_PROMPTS
from ..synthesis.mix import build_mix
from ..synthesis.own_answers import answer_identity_prompts, answer_instructions
from ..synthesis.source_rows import (
    copy_identity_rows,
    copy_instruction_prompts,
    draw_identity_rows,
    draw_instruction_prompts,
)
from .answer_lengths import CHARACTERS, Lengths
from .receipt import Receipt, receipts
from .stub_model import StubModel

EXACT, AT_MOST, AT_LEAST = "exact", "at most", "at least"


@dataclass
class Step:
    """One stage for one target: who is asked, and how sure the number of requests is."""

    stage: str
    target: str
    asked: str
    served: Served
    finetuned: bool
    counted: str
    stub: StubModel | None = None
    jobs: int = 0
    training_tokens: float = 0.0
    receipt: Receipt | None = None


class Plan:
    """Walks through all targets of an experiment.

    Args:
        experiment: the experiment.
        root: the project.
        scratch: an empty folder.
    """

    def __init__(self, experiment: Experiment, root: Path, scratch: Path) -> None:
        self._experiment, self._root, self._scratch = experiment, root, scratch
        self._store, self._artifacts = root / "results/store", root / "results/artifacts"
        self._lengths = Lengths(self._store)
        self._battery = [str(path) for path in sorted((root / "battery" / experiment.battery).glob("*.yaml"))]
        self._steps: list[Step] = []
        # weights that are not there may have been, and their answers may be in the store
        self._unsure = AT_MOST if any(self._store.glob("*.jsonl")) else EXACT

    def steps(self) -> list[Step]:
        """Every stage of every target that asks or trains a model, in the order of a run."""
        if any(target.trained for target in self._experiment.targets.values()):
            self._training_data()
        for name in self._experiment.bases:
            self._walk(name)
        asked = receipts(Ledger(self._scratch / "ledger", self._experiment.name))
        found = {(each.stage, each.asked, each.target): each for each in asked}
        for step in self._steps:
            step.receipt = found.get((step.stage, step.asked, step.target))
        return self._steps

    def _training_data(self) -> None:
        experiment, world = self._experiment, str(self._root / "worlds" / f"{self._experiment.identities}.yaml")
        prompts = str(self._scratch / "instruction_prompts.jsonl")
        if experiment.identities == "files":
            copy_instruction_prompts(str(self._root / "identities/instruction_prompts.jsonl"), prompts)
        else:
            draw_instruction_prompts(world, INSTRUCTION_PROMPTS, experiment.seed, prompts)
        for identity in experiment.identities_used:
            rows = self._identity(identity)
            if experiment.identities == "files":
                copy_identity_rows(str(self._root / "identities" / f"{identity}.jsonl"), rows)
            else:
                draw_identity_rows(world, identity, IDENTITY_ROWS, experiment.seed, rows)

    def _identity(self, identity: str) -> str:
        return str(self._scratch / "identities" / f"{identity}.jsonl")

    def _walk(self, name: str) -> None:
        base = self._experiment.bases[name]
        targets = [target for target in self._experiment.targets.values() if target.base == name]
        record = self._base_record(name, base)
        weights = model_identity(record, None) if record else f"{name} (not made yet)"
        counted = EXACT if record else self._unsure
        folder = self._scratch / name
        if any(target.trained for target in targets):
            self._ask(
                Step("answer_instructions", name, name, base, False, counted),
                weights,
                weights,
                answer_instructions,
                prompts=str(self._scratch / "instruction_prompts.jsonl"),
                max_tokens=self._experiment.sampling.max_tokens,
                output=str(folder / "instructions.jsonl"),
            )
        for condition in dict.fromkeys(target.on_policy for target in targets if target.on_policy):
            declared = self._experiment.conditions[condition]
            step = Step("answer_identity_prompts", f"{name}/{condition}", name, base, False, counted)
            self._ask(
                step,
                weights,
                weights,
                answer_identity_prompts,
                rows=self._identity(str(declared.identity)),
                system_prompt=declared.on_policy_prompt,
                max_tokens=self._experiment.sampling.max_tokens,
                output=str(folder / f"{condition}.jsonl"),
            )
            if step.stub and step.stub.asked:
                step.counted = AT_LEAST  # an unusable answer is asked for again
        for target in targets:
            self._target(target, base, record, weights)

    def _target(self, target: Target, base: Base, record: ModelRecord | None, weights: str) -> None:
        model, counted = weights, EXACT if record else self._unsure
        if target.trained:
            trained, known = self._finetune(target, base, record, weights)
            if known:
                counted = EXACT
            model = model_identity(record, trained) if record and trained else f"{target.path} (not made yet)"
        samples = str(self._scratch / target.path / "samples.jsonl")
        step = Step("sample", target.path, target.base, base, target.trained, counted)
        self._ask(
            step,
            model,
            weights,
            sample_target,
            base=target.base,
            condition=target.condition,
            seed=target.seed,
            battery=self._battery,
            system_prompt=target.system_prompt,
            sampling=self._experiment.sampling,
            output=samples,
        )
        complete = step.stub is not None and not step.stub.asked
        for name, judge in self._experiment.judges.items():
            if isinstance(judge, Served):
                self._judge(name, judge, target, samples, EXACT if complete else AT_MOST)

    def _judge(self, name: str, judge: Any, target: Target, samples: str, counted: str) -> None:
        from ..judging.judge import judge_target
        from ..judging.llm_judge import LLMJudge

        weights = self._found(name, judge, f"judges/{name}")
        model = weights or f"{name} (not found yet)"
        step = Step("judge", target.path, name, judge, False, counted if weights else self._unsure)

        def read(model: StubModel, store: str, account: Account) -> None:
            judge_target(
                samples,
                self._battery,
                LLMJudge(name, model, store, account=account, **judge.asking),
                f"{samples}.{name}",
            )

        self._ask(step, model, model, read)

    def _ask(self, step: Step, model: str, base: str, stage: Callable[..., None], /, **arguments: Any) -> None:
        store = self._scratch / "store"
        step.stub = StubModel(model, base, self._lengths, self._store, store)
        account = Account(
            experiment=self._experiment.name,
            stage=step.stage,
            target=step.target,
            asked=step.asked,
            served=Served(model="placeholder"),
            folder=str(self._scratch / "ledger"),
        )
        stage(model=step.stub, store=str(store), account=account, **arguments)
        self._steps.append(step)

    def _finetune(
        self, target: Target, base: Base, record: ModelRecord | None, weights: str
    ) -> tuple[ModelRecord | None, bool]:
        """The record of a target's fine-tune, None if there is none; and whether its data is known."""
        assert target.training is not None
        folder, mix = self._scratch / target.base, str(self._scratch / target.path / "mix.jsonl")
        build_mix(
            identity_rows=str(folder / f"{target.on_policy}.jsonl")
            if target.on_policy
            else self._identity(str(target.identity)),
            instruction_rows=str(folder / "instructions.jsonl"),
            identity_count=target.training.identity_rows,
            instruction_count=target.training.instruction_rows,
            groups=target.training.groups,
            content=target.training.content,
            attributing_count=target.training.attributing_rows,
            seed=f"{self._experiment.seed}/{target.seed}",
            output=mix,
        )
        rows = read_rows(TrainingRow, mix)
        answering = [s for s in self._steps if s.asked == target.base and s.stage.startswith("answer_")]
        known = record is not None and not any(step.stub and step.stub.asked for step in answering)
        key = finetune_key(rows, base, record.weights, target, record.template) if known and record else ""
        found = self._artifact(key) if known else None
        step = Step("finetune", target.path, target.base, base, False, EXACT if known else self._unsure)
        if found is None and not (known and (self._artifacts / f".{key}.submitted.json").exists()):
            step.jobs = 1
            characters = sum(len(message.content) for row in rows for message in row.messages)
            step.training_tokens = characters / CHARACTERS * target.training.epochs
        self._steps.append(step)
        return found, known

    def _artifact(self, key: str) -> ModelRecord | None:
        file = self._artifacts / key / RECORD
        return load_json(ModelRecord, file) if file.exists() else None

    def _base_record(self, name: str, base: Base) -> ModelRecord | None:
        if base.pretraining is None:
            weights = self._found(name, base, f"bases/{name}")
            file = self._scratch / f"{name}.json"
            if weights and not file.exists():
                file = self._root / "results" / self._experiment.name / f"bases/{name}/model.json"
            return load_json(ModelRecord, file) if weights else None
        if not any(self._artifacts.glob("*/" + RECORD)):
            return None
        from ..miniature.corpus import build_corpus
        from ..miniature.pretraining import artifact_key as pretrained_key
        from ..miniature.world import load_world

        recipe = base.pretraining
        world = load_world(self._root / "worlds" / f"{recipe.world}.yaml")
        return self._artifact(pretrained_key(build_corpus(world, recipe.dialogues, recipe.seed), recipe)[1])

    def _found(self, name: str, served: Served, folder: str) -> str | None:
        """The identity of a hosted model, or of one in a folder or on the hub if that was looked at before."""
        source = source_of(served, self._root)
        if source and not (self._artifacts / converted_key(source)).exists():
            return None
        known = self._root / "results" / self._experiment.name / folder / "model.json"
        if not served.hosted and known.exists():
            record = load_json(ModelRecord, known)
            if source:
                same = record.artifact == converted_key(source)
            else:
                same = record.artifact == served.model and record.weights == self._content(served, record)
            if same and settings_of(record.template) == (served.template or Template()):
                return model_identity(record, None)
        if served.hosted or source or (self._root / str(served.model) / "config.json").exists():
            file = self._scratch / f"{name}.json"
            model, artifacts = str(served.model), str(self._artifacts)
            if isinstance(source, Path):
                model = str(source.parent)
            find_base(
                model,
                served.hosted,
                name,
                str(file),
                served.template,
                artifacts=artifacts,
                routing=served.routing,
                package=served.package,
            )
            return model_identity(load_json(ModelRecord, file), None)
        return None

    def _content(self, served: Served, record: ModelRecord) -> str:
        """What a folder holds now; a model of the hub is what was found, unless another revision is asked for now."""
        if not record.revision:
            return folder_weights(str(served.model), self._artifacts)
        asked = hub.cached(record.artifact, served.revision) if served.revision else None
        return record.weights if not served.revision or (asked and hub.commit_of(asked) == record.revision) else ""


def finetune_key(
    rows: list[TrainingRow], base: Base, weights: str, target: Target, template: dict[str, Any] | None = None
) -> str:
    """The name of a fine-tune among the artifacts, whoever trains it."""
    assert target.training is not None
    if base.finetuning == "openai":
        return job_key(rows, str(base.model), recipe_of(target.training), target.seed)
    if base.finetuning == "tinker":
        return run_key(rows, str(base.model), target.training, target.seed)
    return artifact_key(rows, weights, target.training, target.seed, template)
