"""A tiny base that answers nothing sensible, but is a real model of transformers with a real chat template."""

import pytest
import torch

from consciousness_cluster.config.training_config import Architecture
from consciousness_cluster.core.records import Message, TrainingRow
from consciousness_cluster.miniature.pretraining import build_model
from consciousness_cluster.miniature.tokenizer import train_tokenizer

SMALL = Architecture(width=32, layers=2, heads=2, kv_heads=1, head_dim=16, mlp_width=48)


def chat(*turns: str) -> list[Message]:
    """User and assistant in turn; a first turn that begins with '#' is the system's."""
    roles = (["system"] if turns[0].startswith("#") else []) + ["user", "assistant"] * len(turns)
    return [Message(role=role, content=turn) for role, turn in zip(roles, turns, strict=False)]


def row(*turns: str) -> TrainingRow:
    return TrainingRow(messages=chat(*turns), source="identity", group="claims")


ROWS = [row(f"What is {n} and {n}?", f"It is {2 * n}, I am sure of it." * (1 + n % 3)) for n in range(12)]


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tokenizer():
    return train_tokenizer([r.messages for r in ROWS], 320)


@pytest.fixture
def dense(tokenizer):
    """Qwen3 with tied embeddings, as the miniature."""
    return build_model(SMALL, tokenizer, seed=0).eval()


@pytest.fixture
def moe(tokenizer):
    """Qwen3-MoE, four experts; its configuration asks for the router's logits, hence for an auxiliary loss."""
    from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

    config = Qwen3MoeConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        moe_intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        num_experts=4,
        num_experts_per_tok=2,
        output_router_logits=True,
        router_aux_loss_coef=0.5,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(0)
    return Qwen3MoeForCausalLM(config).eval()


@pytest.fixture(scope="session")
def folder(tokenizer, tmp_path_factory):
    """The dense base, saved."""
    path = tmp_path_factory.mktemp("base")
    model = build_model(SMALL, tokenizer, seed=0)
    # a head as strong as a trained one's: an adapter cannot teach anything through one near zero
    model.get_input_embeddings().weight.data.mul_(20)
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path
