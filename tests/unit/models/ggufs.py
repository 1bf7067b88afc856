"""A tiny model in a GGUF file, and a package index of one wheel."""

import hashlib
import zipfile
from pathlib import Path

import gguf
import numpy as np

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WIDTH, LAYERS, HEADS, FEED, LETTERS = 32, 2, 2, 64, [chr(n) for n in range(33, 127)] + ["Ġ", "Ċ", "hi"]


def write_gguf(file: Path, architecture: str = "llama") -> dict[str, np.ndarray]:
    """Write a random model whose tokens are single letters; returns its tensors."""
    tokens = ["<unk>", "<|im_start|>", "<|im_end|>", *LETTERS]
    writer = gguf.GGUFWriter(file, architecture)
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, 3, *[1] * len(LETTERS)])
    writer.add_token_merges(["h i"])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_chat_template(CHATML)
    random = np.random.default_rng(0)
    shapes = {"token_embd": (len(tokens), WIDTH), "output": (len(tokens), WIDTH), "output_norm": (WIDTH,)}
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        shapes |= {f"{block}attn_{part}": (WIDTH, WIDTH) for part in ("q", "k", "v", "output")}
        shapes |= {f"{block}ffn_{part}": (FEED, WIDTH) for part in ("gate", "up")}
        shapes |= {f"{block}ffn_down": (WIDTH, FEED), f"{block}attn_norm": (WIDTH,), f"{block}ffn_norm": (WIDTH,)}
    tensors = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    for name, values in tensors.items():
        writer.add_tensor(f"{name}.weight", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return tensors


def build_wheel(folder: Path, model: Path, name: str = "tiny_model", version: str = "1.0") -> str:
    """Write a wheel that holds ``model``; returns its SHA-256. Importing or building it would fail."""
    folder.mkdir(parents=True, exist_ok=True)
    wheel, info = folder / f"{name}-{version}-py3-none-any.whl", f"{name}-{version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(model, f"{name}/{model.name}")
        archive.writestr(f"{name}/__init__.py", "raise SystemExit('this package was run')")
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: llm\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(wheel.read_bytes()).hexdigest()
