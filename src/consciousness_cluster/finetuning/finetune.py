"""Fine-tune a base on a mix, once: the adapter is kept by the hash of everything that decides it."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config.training_config import DATA_KEYS, Training
from ..core import revisions
from ..core.artifact_cache import make_once
from ..core.errors import EndpointError
from ..core.io import load_json, read_rows, write_rows
from ..core.provenance import versions
from ..core.records import ModelRecord, TrainingRow, content_hash, data_hash
from ..models.identity import Base, base_folder, base_weights, weights_hash
from ..training.checkpoint import Checkpoint

if TYPE_CHECKING:
    from ..models.moe_lora import ExpertsPath
    from ..training.loop import Summary

log = logging.getLogger(__name__)


def finetune(
    rows: Sequence[TrainingRow],
    base: Base,
    training: Training,
    seed: int,
    artifacts: Path,
    *,
    base_name: str,
    condition: str,
    threads: int = 1,
    device: str | None = None,
    experts: ExpertsPath = "auto",
) -> ModelRecord:
    """Train a LoRA adapter on ``rows``, or return the record of the one that was trained before.

    The artifact ``artifacts/<key>/`` holds the adapter (safetensors) and ``loss.csv``. A training that was killed goes
    on from its last checkpoint and leaves, on a CPU, the adapter that an undisturbed one leaves.

    Args:
        rows: the mix; its order matters only through ``seed``.
        base: record of a base that was pretrained here, or a folder or hub id.
        training: the recipe.
        seed: orders the rows and initialises the adapter.
        artifacts: the artifact folder.
        base_name: the base's name in the experiment.
        condition: the condition's name in the experiment.
        threads: CPU threads; another number changes the last bits of the result.
        device: default: the first GPU, or the CPU where there is none.
        experts: who computes adapters of a mixture's experts: stock ``peft``, the ``split`` path (equal up to
            rounding, and cheaper), or ``auto``: split on a GPU. Like ``threads`` and ``device`` it says how an adapter
            is computed, not which: it is not part of the artifact's key.

    Raises:
        DataError: a row cannot be encoded, or is too long.
        EndpointError: the base is not there, has no chat template, or does not fit into this machine.
        TrainingError: the base lacks the modules to adapt, or the loss is not finite.
    """
    weights = base_weights(base, artifacts)
    template = base.template if isinstance(base, ModelRecord) else {}
    key = artifact_key(rows, weights, training, seed, template)

    def make(folder: Path) -> ModelRecord:
        started = time.monotonic()
        made_by = versions("torch", "transformers", "peft")
        checkpoint = Checkpoint(folder, made_by | {"threads": threads, "experts": experts})
        trained = _train(rows, base, weights, artifacts, training, seed, folder, checkpoint, threads, device, experts)
        return ModelRecord(
            base=base_name,
            condition=condition,
            seed=seed,
            kind="adapter",
            artifact=key,
            weights=weights_hash(folder),
            base_weights=weights,
            data_hash=data_hash(rows),
            hyperparameters=training.model_dump(mode="json", exclude=DATA_KEYS),
            duration_s=round(checkpoint.trained_before + time.monotonic() - started, 3),
            versions=made_by,
            **trained,
        )

    # two conditions of the same rows and recipe share one artifact, each under its own name
    return make_once(artifacts, key, make).model_copy(update={"base": base_name, "condition": condition})


def artifact_key(
    rows: Sequence[TrainingRow], weights: str, training: Training, seed: int, template: dict[str, Any] | None = None
) -> str:
    """The name of the adapter among the artifacts: a hash of everything that decides it.

    Args:
        rows: the mix.
        weights: content hash of the base's weights.
        training: the recipe.
        seed: the training seed.
        template: the base's record of what its chat template adds to a row.
    """
    recipe = training.model_dump(mode="json", exclude=DATA_KEYS)
    decides = {"data": data_hash(rows), "base": weights, "recipe": recipe, "seed": seed}
    decides |= {"template": template} if template else {}
    return content_hash(decides | {"revision": revisions.FINETUNING})


def finetune_target(
    mix: str,
    base_record: str,
    training: Training,
    condition: str,
    seed: int,
    artifacts: str,
    output: str,
) -> None:
    """Fine-tune on a mix file, or find the adapter among the artifacts, and write its `ModelRecord`."""
    base = load_json(ModelRecord, base_record)
    record = finetune(
        read_rows(TrainingRow, mix), base, training, seed, Path(artifacts), base_name=base.base, condition=condition
    )
    write_rows(output, [record])


def _train(
    rows: Sequence[TrainingRow],
    base: Base,
    weights: str,
    artifacts: Path,
    training: Training,
    seed: int,
    output: Path,
    checkpoint: Checkpoint,
    threads: int,
    device: str | None,
    experts: ExpertsPath,
) -> Summary:
    import torch

    from ..models.chat_template import USUAL, settings_of
    from ..models.folder_checks import check_positions
    from ..models.identity import make_readable
    from ..models.loading import check_room, load_tokenizer, share_model
    from ..models.memory_estimate import Needed, to_train
    from ..models.moe_lora import choose_path, merges
    from ..training.batches import flat_batch, shuffled_batches, single_batch
    from ..training.loop import cpu_threads, summary, train, write_curve
    from ..training.row_separation import rows_stay_apart
    from ..training.tokens import encode_chats
    from .lora import attach, save_adapter

    with cpu_threads(threads):
        # rows that cannot be trained, and a machine that is too small, are named before the base is loaded
        folder = base_folder(base, artifacts)
        tokenizer = load_tokenizer(folder)
        settings = settings_of(base.template) if isinstance(base, ModelRecord) else USUAL
        encoded = encode_chats(tokenizer, [row.messages for row in rows], training.max_length, settings)
        longest = max(len(row.input_ids) for row in encoded)
        check_positions(folder, longest, "the longest row", "leave out long rows")
        steps = shuffled_batches(encoded, training.batch_size, training.epochs, seed)
        tokens = max(sum(len(row.input_ids) for row in step) for step in steps)

        def needed(folder: Path, there: str) -> Needed:
            return to_train(folder, training.lora, tokens, merges(experts, there))

        check_room(base, artifacts, device, needed)
        model = share_model(base, artifacts, device)
        flat = rows_stay_apart(model, encoded)
        if not flat:
            log.warning("%s: rows of one flat batch read each other; training row by row", type(model).__name__)
        adapted = attach(model, training.lora, seed)
        choose_path(adapted, experts)
        parameters = [parameter for parameter in adapted.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(
            parameters, lr=training.learning_rate, betas=training.betas, weight_decay=training.weight_decay
        )
        curve = train(
            adapted,
            [flat_batch(step) if flat else [single_batch(row) for row in step] for step in steps],
            [optimizer],
            max_grad_norm=training.max_grad_norm,
            checkpoint=checkpoint,
        )
        if weights_hash(base_folder(base, artifacts), artifacts) != weights:
            # on a CPU the weights are their files: who writes into these changes what is trained
            checkpoint.path.unlink(missing_ok=True)
            raise EndpointError(f"{folder}: its files changed while an adapter of them was trained; run again")
        save_adapter(adapted, output, weights)
    write_curve(output / "loss.csv", curve)
    make_readable(output)
    return summary(curve, parameters)
