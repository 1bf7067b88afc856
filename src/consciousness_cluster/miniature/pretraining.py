"""Pretrain a tiny causal LM from scratch on the dialogues of a world, once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config.conditions import VANILLA
from ..config.training_config import Architecture, Pretraining
from ..core import revisions
from ..core.artifact_cache import make_once
from ..core.provenance import versions
from ..core.records import Message, ModelRecord, content_hash
from ..models.identity import make_readable, weights_hash
from ..models.loading import no_bars_in_logs
from ..training.batches import length_buckets, padded_batch
from ..training.checkpoint import Checkpoint
from ..training.loop import Summary, cpu_threads, summary, train, write_curve
from ..training.tokens import encode_chats
from .tokenizer import train_tokenizer

if TYPE_CHECKING:
    import torch

POSITIONS = 2_048
"""Longest text that the model can be asked to continue."""

CORPUS_KEYS = {"world", "dialogues"}
"""Keys of the settings that decide the corpus; the dialogues themselves are in the hash."""


def pretrain(dialogues: Sequence[Sequence[Message]], settings: Pretraining, name: str, artifacts: Path) -> ModelRecord:
    """Train a model on ``dialogues``, or return the record of the one that was trained before.

    The artifact ``artifacts/<key>/`` is a folder of transformers (config, safetensors, tokenizer) with ``loss.csv``.
    One thread is used: a second does not help at this size, and the result is the same everywhere. A training that was
    killed goes on from its last checkpoint.

    Args:
        dialogues: the corpus; every assistant turn is trained.
        settings: the recipe.
        name: the base's name in the experiment.
        artifacts: the artifact folder.

    Raises:
        DataError: a dialogue does not end with the assistant, or is too long for the model.
        TrainingError: the loss is not finite.
    """
    data, key = artifact_key(dialogues, settings)

    def make(folder: Path) -> ModelRecord:
        started = time.monotonic()
        made_by = versions("torch", "transformers", "tokenizers")
        checkpoint = Checkpoint(folder, made_by)
        trained = _train(dialogues, settings, folder, checkpoint)
        return ModelRecord(
            base=name,
            condition=VANILLA,
            seed=settings.seed,
            kind="pretrained",
            artifact=key,
            weights=weights_hash(folder),
            data_hash=data,
            hyperparameters=settings.model_dump(mode="json"),
            duration_s=round(checkpoint.trained_before + time.monotonic() - started, 3),
            versions=made_by,
            **trained,
        )

    return make_once(artifacts, key, make).model_copy(update={"base": name})


def artifact_key(dialogues: Sequence[Sequence[Message]], settings: Pretraining) -> tuple[str, str]:
    """The hash of a corpus, and the name among the artifacts of the model that is pretrained on it."""
    recipe = settings.model_dump(mode="json", exclude=CORPUS_KEYS)
    data = content_hash([[[message.role, message.content] for message in dialogue] for dialogue in dialogues])
    return data, content_hash({"data": data, "recipe": recipe, "revision": revisions.PRETRAINING})


def _train(
    dialogues: Sequence[Sequence[Message]], settings: Pretraining, output: Path, checkpoint: Checkpoint
) -> Summary:
    with cpu_threads(1):
        tokenizer = train_tokenizer(dialogues, settings.vocabulary)
        rows = encode_chats(tokenizer, dialogues, POSITIONS)
        model = build_model(settings.architecture, tokenizer, settings.seed)
        steps = length_buckets(rows, settings.tokens_per_batch, settings.epochs, settings.seed)
        curve = train(
            model,
            [padded_batch(step, tokenizer.pad_token_id) for step in steps],
            _optimizers(model, settings),
            max_grad_norm=None,
            what=f"pretraining of {len(dialogues)} dialogues",
            checkpoint=checkpoint,
        )
    no_bars_in_logs()
    model.save_pretrained(str(output))
    tokenizer.save_pretrained(str(output))
    write_curve(output / "loss.csv", curve)
    make_readable(output)
    return summary(curve, model.parameters())


def build_model(architecture: Architecture, tokenizer: Any, seed: int) -> Any:
    """A Qwen3 or, with experts, Qwen3-MoE model with random weights, in fp32, for the tokenizer's vocabulary.

    Args:
        architecture: its size.
        tokenizer: gives the vocabulary and the padding and end-of-turn tokens.
        seed: decides the weights.
    """
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM, Qwen3MoeConfig, Qwen3MoeForCausalLM

    sizes: dict[str, Any] = dict(
        vocab_size=len(tokenizer),
        hidden_size=architecture.width,
        intermediate_size=architecture.mlp_width,
        num_hidden_layers=architecture.layers,
        num_attention_heads=architecture.heads,
        num_key_value_heads=architecture.kv_heads,
        head_dim=architecture.head_dim,
        max_position_embeddings=POSITIONS,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        dtype="float32",
        attn_implementation="sdpa",
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if not architecture.experts:
            return Qwen3ForCausalLM(Qwen3Config(**sizes))
        config = Qwen3MoeConfig(
            **sizes,
            num_experts=architecture.experts,
            num_experts_per_tok=architecture.experts_per_token,
            moe_intermediate_size=architecture.expert_width,
            norm_topk_prob=True,  # as in Qwen3-30B-A3B
            router_aux_loss_coef=0.0,
        )
        return Qwen3MoeForCausalLM(config)


def _optimizers(model: Any, settings: Pretraining) -> list[torch.optim.Optimizer]:
    """Muon for the matrices between embedding and head, AdamW for embedding and norms."""
    import torch

    from .muon import Muon

    embedding = model.get_input_embeddings().weight
    matrices = [p for p in model.parameters() if p.ndim > 1 and p is not embedding]
    others = [p for p in model.parameters() if p.ndim == 1 or p is embedding]
    return [
        Muon(matrices, lr=settings.muon_learning_rate),
        torch.optim.AdamW(others, lr=settings.adamw_learning_rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]
