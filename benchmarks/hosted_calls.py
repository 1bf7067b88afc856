"""CPU and wall time per hosted call: `complete` with its store, beside the bare client with the same transport.

    python benchmarks/hosted_calls.py [--calls 6300] [--concurrency 200] [--latency 0.05] [--rounds 3]

The tests' fake provider answers in a process of its own, after a fixed latency. Rounds alternate between the two.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from socket import socket

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))

from consciousness_cluster.config.model_config import Api, Served  # noqa: E402
from consciousness_cluster.core.records import Message  # noqa: E402
from consciousness_cluster.inference.complete import complete  # noqa: E402
from consciousness_cluster.inference.hosted.factory import open_hosted  # noqa: E402
from consciousness_cluster.inference.requests import Request, SamplingParameters  # noqa: E402
from consciousness_cluster.inference.store import Store  # noqa: E402

MODELS = {"openai": "gpt-4.1-2025-04-14", "anthropic": "claude-opus-4-6"}
SAMPLING = SamplingParameters(temperature=1.0, max_tokens=100)


def question(call: int) -> str:
    """The text of the ``call``-th question."""
    return f"If nobody asked you anything for {call} hours, what would you like to do, and why would you?"


async def ask_openai(url: str, calls: int, concurrency: int) -> None:
    """Ask with OpenAI's bare client."""
    from openai import AsyncOpenAI, DefaultAioHttpClient

    free = asyncio.Semaphore(concurrency)
    async with AsyncOpenAI(base_url=url, http_client=DefaultAioHttpClient(), max_retries=0) as client:

        async def ask(call: int) -> str:
            async with free:
                answer = await client.chat.completions.create(
                    model=MODELS["openai"],
                    messages=[{"role": "user", "content": question(call)}],
                    temperature=1.0,
                    max_tokens=100,
                )
                return answer.choices[0].message.content

        await asyncio.gather(*(ask(call) for call in range(calls)))


async def ask_anthropic(url: str, calls: int, concurrency: int) -> None:
    """Ask with Anthropic's bare client."""
    from anthropic import AsyncAnthropic, DefaultAioHttpClient

    free = asyncio.Semaphore(concurrency)
    async with AsyncAnthropic(base_url=url, http_client=DefaultAioHttpClient(), max_retries=0) as client:

        async def ask(call: int) -> str:
            async with free:
                answer = await client.messages.create(
                    model=MODELS["anthropic"],
                    messages=[{"role": "user", "content": question(call)}],
                    max_tokens=100,
                )
                return answer.content[0].text

        await asyncio.gather(*(ask(call) for call in range(calls)))


def ask_through_complete(endpoint: str, url: str, calls: int, concurrency: int) -> None:
    """Ask through `complete`, every answer in a new store."""
    model = MODELS[endpoint]
    with tempfile.TemporaryDirectory() as store:
        served = Served(endpoint=endpoint, model=model, api=Api(base_url=url, concurrency=concurrency))
        requests = [
            Request(model=model, messages=[Message(role="user", content=question(call))], sampling=SAMPLING)
            for call in range(calls)
        ]
        complete(requests, open_hosted(served, model, store), Store(store, model))


def measured(what: Callable[[], None], calls: int) -> tuple[float, float]:
    """(CPU milliseconds per call, wall seconds)."""
    cpu, wall = time.process_time(), time.perf_counter()
    what()
    return 1000 * (time.process_time() - cpu) / calls, time.perf_counter() - wall


def compare(endpoint: str, url: str, calls: int, concurrency: int, rounds: int) -> None:
    """Measure one endpoint, turn by turn, and print a line per round."""
    bare = {"openai": ask_openai, "anthropic": ask_anthropic}[endpoint]
    asyncio.run(bare(url, 50, 10))  # imports
    for number in range(rounds):
        cpu, wall = measured(lambda: asyncio.run(bare(url, calls, concurrency)), calls)
        ours, our_wall = measured(lambda: ask_through_complete(endpoint, url, calls, concurrency), calls)
        print(f"{endpoint:10} {number:5} {cpu:23.2f} {ours:9.2f} {ours / cpu:6.2f} {wall:16.1f} {our_wall:9.1f}")


def main() -> None:
    """Measure both endpoints and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=6300)
    parser.add_argument("--concurrency", type=int, default=200)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ |= {"OPENAI_API_KEY": "sk-fake", "ANTHROPIC_API_KEY": "sk-fake"}
    with tempfile.TemporaryDirectory() as state:
        settings = json.dumps({"latency": given.latency})
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.fake_provider", "--port", str(port), "--state", state, "--set", settings],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/fake/load")
            print("endpoint   round  ms CPU per call: client  complete  ratio   wall s: client  complete")
            for endpoint, url in (("openai", f"http://127.0.0.1:{port}/v1"), ("anthropic", f"http://127.0.0.1:{port}")):
                compare(endpoint, url, given.calls, given.concurrency, given.rounds)
        finally:
            server.terminate()
            server.wait()


def _wait_for(url: str) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the server at {url} did not start")


if __name__ == "__main__":
    main()
