"""Fine-tunes at Tinker, which computes steps while this process says which: a run lasts as long as someone drives it.

Its state is saved there every `SAVE_EVERY` steps. After a kill it goes on from the last one; steps after that are
computed, and paid for, again. Order of rows, loss and learning rates are those of a fine-tune on this machine.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..budget.account import Account
from ..budget.training_jobs import book_training, settle_training, training_tokens_at_most
from ..config.model_config import Served
from ..config.training_config import Training
from ..core import revisions
from ..core.artifact_cache import make_once
from ..core.errors import TrainingError
from ..core.io import load_json, read_rows, write_rows
from ..core.progress import Progress
from ..core.provenance import versions
from ..core.records import ModelRecord, TrainingRow, content_hash, data_hash
from ..training.batches import shuffled_batches
from ..training.loop import Step, final_loss, write_curve
from ..training.tokens import IGNORED, Encoded, encode_chats
from .tinker_saved import TAG, Saved, Size, furthest, save_finished, save_state
from .tinker_service import Service, check_trains, in_tinkers_words, open_service

SAVE_EVERY = 50
AHEAD = 2
"""Steps that are handed in before the first is waited for, so that Tinker need not wait for this process."""
ALPHA = 32.0
"""Tinker's own, for every rank; its client takes none."""
MODULES = {
    "attention": {"train_attn": True, "train_mlp": False, "train_unembed": False},
    "all_linear": {"train_attn": True, "train_mlp": True, "train_unembed": False},
}
NOT_TOLD = {"identity_rows", "instruction_rows", "groups", "learning_rate_multiplier"}

log = logging.getLogger(__name__)


def finetune(
    rows: Sequence[TrainingRow],
    served: Served,
    training: Training,
    seed: int,
    artifacts: Path,
    *,
    base_name: str,
    condition: str,
    service: Service | None = None,
    account: Account | None = None,
) -> ModelRecord:
    """Train a LoRA adapter at Tinker, or return the record of the one that was trained before.

    The artifact ``artifacts/<key>/`` holds ``loss.csv``; the weights stay at Tinker, under the ``tinker://`` path that
    is the record's ``artifact``.

    Args:
        rows: the mix.
        served: the base: its name at Tinker, its server, and the name of the key's variable.
        training: the recipe.
        seed: orders the rows and initialises the adapter.
        artifacts: the artifact folder; a note of what was saved lies here until the run is finished.
        base_name: the base's name in the experiment.
        condition: the condition's name in the experiment.
        service: Tinker; default: the real one.
        account: books what the run may cost before it begins (not steps that are computed again); None: nothing.

    Raises:
        TrainingError: a recipe that Tinker cannot follow, or Tinker's refusal in its words.
        EndpointError: the package or the key is missing, or Tinker cannot be reached.
        DataError: a row cannot be encoded, or is too long.
    """
    if training.lora.alpha != ALPHA:
        raise TrainingError(f"training.lora.alpha: found {training.lora.alpha:g}, Tinker's adapters have {ALPHA:g}")
    key = run_key(rows, str(served.model), training, seed)
    note = artifacts / f".{key}.saved.json"

    def make(folder: Path) -> ModelRecord:
        tinker = service or open_service(served)
        if account is not None:
            book_training(account, key, training_tokens_at_most(rows, training.epochs))
        with in_tinkers_words(f"a fine-tune of {served.model}"):
            done = _run(tinker, rows, str(served.model), training, seed, key, note)
        assert done.sampler is not None
        assert done.size is not None
        if account is not None:
            settle_training(account, key, done.size.tokens)
        write_curve(folder / "loss.csv", done.curve)
        return ModelRecord(
            base=base_name,
            condition=condition,
            seed=seed,
            kind="hosted_finetune",
            artifact=done.sampler,
            weights=done.sampler,
            base_weights=str(served.model),
            data_hash=data_hash(rows),
            hyperparameters=training.model_dump(mode="json", exclude=NOT_TOLD),
            tokens=done.size.tokens,
            trained_tokens=done.size.trained_tokens,
            steps=done.size.steps,
            final_loss=final_loss(done.curve) if len(done.curve) == done.size.steps else None,
            trainable_parameters=None,
            duration_s=round(done.seconds, 3),
            versions=versions("tinker"),
        )

    record = make_once(artifacts, key, make)
    note.unlink(missing_ok=True)
    # two conditions of the same rows and recipe share one run, each under its own name
    return record.model_copy(update={"base": base_name, "condition": condition})


def run_key(rows: Sequence[TrainingRow], model: str, training: Training, seed: int) -> str:
    """The hash of everything that decides a run: its name among the artifacts, and its tag at Tinker.

    Args:
        rows: the mix.
        model: the base's name at Tinker.
        training: the recipe.
        seed: the training seed.
    """
    recipe = training.model_dump(mode="json", exclude=NOT_TOLD)
    decides = {"data": data_hash(rows), "base": model, "recipe": recipe, "seed": seed, "service": "tinker"}
    return content_hash(decides | {"revision": revisions.REMOTE_FINETUNING})


def _run(
    tinker: Service, rows: Sequence[TrainingRow], model: str, training: Training, seed: int, key: str, note: Path
) -> Saved:
    """Drive the run to its end, from where it was saved; returns what was kept of it."""
    saved = furthest(tinker, key, note)
    if saved.sampler is not None:
        log.info("this run was finished before: %s", saved.sampler)
        return saved
    client, saved = _open_run(tinker, model, training, seed, key, saved)
    encoded = encode_chats(client.get_tokenizer(), [row.messages for row in rows], training.max_length)
    steps = shuffled_batches(encoded, training.batch_size, training.epochs, seed)
    tokens = sum(len(row.input_ids) for step in steps for row in step)
    size = Size(steps=len(steps), tokens=tokens, trained_tokens=sum(map(_trained_tokens, steps)))
    curve, started = list(saved.curve), time.monotonic() - saved.seconds
    waiting: deque[tuple[Step, list[Encoded], Any, Any]] = deque()
    with Progress(len(steps), "training steps") as progress:
        progress.advance(saved.step)

        def collect(at_most: int) -> None:
            while len(waiting) > at_most:
                curve.append(_collected(*waiting.popleft(), len(steps)))
                progress.advance(note=f"loss {curve[-1].loss:.3f}")

        for number, rows_of_step in list(enumerate(steps))[saved.step :]:
            waiting.append(_hand_in(client, number, len(steps), rows_of_step, training))
            collect(AHEAD - 1)
            if (number + 1) % SAVE_EVERY == 0 and number + 1 < len(steps):
                collect(0)
                write_rows(note, [save_state(client, key, curve, number + 1, time.monotonic() - started)])
        collect(0)
    saved = save_finished(client, key, curve, size, time.monotonic() - started)
    write_rows(note, [saved])
    return saved


def _open_run(tinker: Service, model: str, training: Training, seed: int, key: str, saved: Saved) -> tuple[Any, Saved]:
    """A ``tinker.TrainingClient``, with the weights and the optimizer that were saved or new; and where it stands."""
    import tinker as package  # pyright: ignore[reportMissingImports]  # in an environment of its own

    if saved.state is not None:
        restore = tinker.training.create_training_client_from_state_with_optimizer
        try:
            client = restore(saved.state, user_metadata={TAG: key}).result()
        except (package.NotFoundError, package.BadRequestError, package.RequestFailedError) as error:
            log.warning("what was saved after step %d is not there any more (%s): from the start", saved.step, error)
        else:
            log.info("going on after step %d, the last that was saved; later ones are computed again", saved.step)
            return client, saved
    check_trains(tinker, model)
    rank, modules = training.lora.rank, MODULES[training.lora.modules]
    create = tinker.training.create_lora_training_client
    return create(model, rank=rank, seed=seed, user_metadata={TAG: key}, **modules).result(), Saved()


def _trained_tokens(step: Sequence[Encoded]) -> int:
    return sum(label != IGNORED for row in step for label in row.labels[1:])


def _hand_in(
    client: Any, number: int, steps: int, rows: list[Encoded], training: Training
) -> tuple[Step, list[Encoded], Any, Any]:
    """Hand in one step; its loss is the mean over the step's trained tokens, as in `training.train`."""
    import tinker  # pyright: ignore[reportMissingImports]  # in an environment of its own

    trained = _trained_tokens(rows)
    data = []
    for row in rows:
        weights = [0.0 if label == IGNORED else 1 / trained for label in row.labels[1:]]
        inputs = {"target_tokens": row.input_ids[1:], "weights": weights}
        data.append(tinker.Datum(model_input=tinker.ModelInput.from_ints(row.input_ids[:-1]), loss_fn_inputs=inputs))
    rate = training.learning_rate * (1 - number / steps)
    adam = tinker.AdamParams(
        learning_rate=rate,
        beta1=training.betas[0],
        beta2=training.betas[1],
        eps=1e-8,
        weight_decay=training.weight_decay,
        grad_clip_norm=training.max_grad_norm,
    )
    step = Step(number + 1, math.nan, rate, sum(len(row.input_ids) for row in rows), trained)
    return step, rows, client.forward_backward(data, "cross_entropy"), client.optim_step(adam)


def _collected(step: Step, rows: list[Encoded], passed: Any, stepped: Any, steps: int) -> Step:
    """Wait for a step; its loss follows from the log probabilities that Tinker returns for each row."""
    outputs = passed.result().loss_fn_outputs
    stepped.result()
    total = 0.0
    for row, output in zip(rows, outputs, strict=True):
        probabilities = output["logprobs"].tolist()
        pairs = zip(row.labels[1:], probabilities, strict=True)
        total -= sum(probability for label, probability in pairs if label != IGNORED)
    loss = total / step.trained_tokens
    if not math.isfinite(loss):
        raise TrainingError(f"step {step.step} of {steps} at Tinker: loss is {loss}, expected a finite number")
    return replace(step, loss=loss)


def finetune_target(
    mix: str,
    base_record: str,
    served: Served,
    training: Training,
    condition: str,
    seed: int,
    artifacts: str,
    output: str,
    account: Account | None = None,
) -> None:
    """Fine-tune on a mix file at Tinker, or find the run among the artifacts, and write its `ModelRecord`."""
    base = load_json(ModelRecord, base_record).base
    rows = read_rows(TrainingRow, mix)
    record = finetune(
        rows, served, training, seed, Path(artifacts), base_name=base, condition=condition, account=account
    )
    write_rows(output, [record])
