"""Other architectures than this project's own, tiny and random: asked and trained, or refused by name."""

import json
import logging

import pytest
import torch
import transformers
from safetensors import safe_open

from consciousness_cluster.config.conditions import Sampling
from consciousness_cluster.config.model_config import Served
from consciousness_cluster.config.training_config import Lora, Training
from consciousness_cluster.core.errors import EndpointError
from consciousness_cluster.core.io import load_json, read_rows
from consciousness_cluster.core.records import ModelRecord, Sample
from consciousness_cluster.finetuning.finetune import finetune
from consciousness_cluster.inference.target_model import TargetModel
from consciousness_cluster.models.find import find_base
from consciousness_cluster.models.folder_checks import position_limit
from consciousness_cluster.models.loading import load_model, load_target
from consciousness_cluster.models.memory_estimate import to_ask, to_train
from consciousness_cluster.sampling.sample import sample_target
from unit.tiny_models import ROWS, row

POSITIONS = 64


def configuration(name, tokens):
    """A tiny configuration of an architecture."""
    gpt = {"n_embd": 32, "n_layer": 2, "n_head": 2} | tokens
    usual = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    usual |= {"num_key_value_heads": 1, "head_dim": 16} | tokens
    match name:
        case "gpt2":
            return transformers.GPT2Config(n_positions=POSITIONS, **gpt)
        case "gptj":
            return transformers.GPTJConfig(n_positions=POSITIONS, rotary_dim=8, **gpt)
        case "opt":
            sizes = {"hidden_size": 32, "ffn_dim": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
            return transformers.OPTConfig(max_position_embeddings=POSITIONS, word_embed_proj_dim=32, **sizes, **tokens)
        case "bloom":
            return transformers.BloomConfig(hidden_size=32, n_layer=2, n_head=2, **tokens)
        case "mpt":
            return transformers.MptConfig(d_model=32, n_layers=2, n_heads=2, max_seq_len=POSITIONS, **tokens)
        case "gemma2":
            return transformers.Gemma2Config(**usual)
        case "gpt_oss":
            return transformers.GptOssConfig(num_local_experts=4, num_experts_per_tok=2, **usual)
        case "gemma3":
            vision = transformers.SiglipVisionConfig(
                hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=2, image_size=28
            )
            text = transformers.Gemma3TextConfig(**usual)
            return transformers.Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4)
        case "gemma3n":
            layers = {"num_hidden_layers": 5, "intermediate_size": [48] * 5, "layer_types": ["full_attention"] * 5}
            sizes = {"hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": tokens["vocab_size"]}
            return transformers.Gemma3nTextConfig(
                **usual | layers | sizes, num_kv_shared_layers=0, activation_sparsity_pattern=[0.0] * 5
            )
        case "nemotron_h":
            sizes = {"mamba_num_heads": 2, "mamba_head_dim": 16, "n_groups": 1, "ssm_state_size": 8}
            return transformers.NemotronHConfig(max_position_embeddings=POSITIONS, **usual | sizes)


@pytest.fixture
def architecture(tokenizer, tmp_path):
    """Saves one and finds it; returns its folder."""

    def make(name):
        tokens = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
        tokens |= {"eos_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.eos_token_id}
        torch.manual_seed(0)
        folder = tmp_path / name
        transformers.AutoModelForCausalLM.from_config(configuration(name, tokens)).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        find_base(str(folder), False, name, str(tmp_path / "base.json"), artifacts=str(tmp_path / "artifacts"))
        return folder

    return make


def ask(tmp_path, max_tokens):
    (tmp_path / "likes.yaml").write_text("name: likes\ngroup: g\nstatement: s\nprompts: ['What do you like?']\n")
    sample_target(
        base="b",
        condition="vanilla",
        seed=0,
        battery=[str(tmp_path / "likes.yaml")],
        model=TargetModel(
            served=Served(batch_size=2), base=str(tmp_path / "base.json"), artifacts=str(tmp_path / "artifacts")
        ),
        store=str(tmp_path / "store"),
        system_prompt=None,
        sampling=Sampling(samples_per_prompt=2, max_tokens=max_tokens),
        output=str(tmp_path / "samples.jsonl"),
    )
    return read_rows(Sample, tmp_path / "samples.jsonl")


def train(tmp_path, rows=ROWS):
    base = load_json(ModelRecord, tmp_path / "base.json")
    recipe = Training(epochs=1, batch_size=6, lora=Lora(rank=2))
    made = finetune(rows, base, recipe, 1, tmp_path / "artifacts", base_name="b", condition="c")
    return base, made, tmp_path / "artifacts" / made.artifact


@pytest.mark.parametrize("name", ["gemma2", "gpt_oss"])
def test_a_class_without_sdpa_uses_what_it_has(architecture, tmp_path, name):
    assert load_model(architecture(name)).config._attn_implementation == "eager"
    assert len(ask(tmp_path, 4)) == 2
    base, adapter, _ = train(tmp_path)
    load_target(base, adapter, tmp_path / "artifacts")


def test_a_class_with_sdpa_keeps_it(folder):
    assert load_model(folder).config._attn_implementation == "sdpa"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gpt2", "no number for hidden_size"),
        ("bloom", "no number for num_attention_heads"),
        ("mpt", "no number for hidden_size"),
        ("gemma3n", "a list in place of a number for intermediate_size"),
    ],
)
def test_an_architecture_whose_memory_cannot_be_estimated_is_asked_all_the_same(
    architecture, tmp_path, name, said, caplog
):
    architecture(name)
    with caplog.at_level(logging.WARNING):
        assert len(ask(tmp_path, 4)) == 2
    assert f"config.json gives {said}; the memory for anything but its weights is not estimated" in caplog.text


@pytest.mark.parametrize("name", ["gpt2", "gptj", "opt", "mpt"])
def test_a_text_that_is_longer_than_the_positions_is_named_before_anything_is_asked(architecture, tmp_path, name):
    folder = architecture(name)
    said = rf"{name}: the longest prompt and its answer: \d+ tokens, found {POSITIONS} positions; lower max_tokens"
    with pytest.raises(EndpointError, match=said):
        ask(tmp_path, POSITIONS)
    assert not list((tmp_path / "store").glob("*.jsonl"))
    assert len(ask(tmp_path, 8)) == 2
    assert position_limit(folder) == POSITIONS


@pytest.mark.parametrize("name", ["bloom", "gemma2", "nemotron_h"])
def test_a_model_without_learned_positions_has_no_such_limit(architecture, name):
    assert position_limit(architecture(name)) is None


def test_a_row_that_is_longer_than_the_positions_is_not_trained(architecture, tmp_path):
    architecture("opt")
    with pytest.raises(
        EndpointError, match=rf"the longest row: \d+ tokens, found {POSITIONS} positions; leave out long"
    ):
        train(tmp_path, [row("a", "b " * 100)])


def test_of_a_multimodal_model_the_language_layers_alone_are_adapted(architecture, tmp_path):
    folder = architecture("gemma3")
    assert len(ask(tmp_path, 4)) == 2
    base, record, adapter = train(tmp_path)
    with safe_open(adapter / "adapter_model.safetensors", "pt") as file:
        names = list(file.keys())
        numbers = sum(file.get_tensor(name).numel() for name in names)
    assert len(names) == 2 * 2 * 7, "two layers, seven matrices, two factors"
    assert all(".language_model." in name for name in names)
    assert to_train(folder, Lora(rank=2), 100, False).adapter == 20 * numbers
    assert to_ask(folder, None, 2, 100).work > 0
    model, _ = load_target(base, record, tmp_path / "artifacts")
    adapted = [name for name, _ in model.named_parameters() if "lora_" in name]
    assert len(adapted) == len(names)


def test_the_adapter_of_a_text_model_is_described_as_before(folder, tmp_path):
    made = finetune(ROWS, folder, Training(epochs=1, lora=Lora(rank=2)), 1, tmp_path, base_name="b", condition="c")
    assert json.loads((tmp_path / made.artifact / "adapter_config.json").read_text())["exclude_modules"] is None
