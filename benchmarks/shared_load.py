"""What it saves that adapters of one base share a load: N fine-tunes and N samplings, with a load each and with one.

From the project's folder::

    .venv/bin/python benchmarks/shared_load.py                             # the miniature's size
    .venv/bin/python benchmarks/shared_load.py --width 2048 --layers 16    # 2.7 GB of weights
    .venv/bin/python benchmarks/shared_load.py --model FOLDER              # a base that is there

The base has random weights unless it is named: time does not depend on them. The jobs are those of the workflow, one
after another in the fork server, as on a workstation with one GPU. Both ways must leave the same adapters and answers:
the script compares their bytes, and fails if they differ (on a GPU, where arithmetic may differ from run to run, it
only says so).
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))

from consciousness_cluster.config.conditions import Sampling  # noqa: E402
from consciousness_cluster.config.model_config import Served  # noqa: E402
from consciousness_cluster.config.training_config import Architecture, Training  # noqa: E402
from consciousness_cluster.core.io import load_json, write_rows  # noqa: E402
from consciousness_cluster.core.records import Message, ModelRecord, TrainingRow  # noqa: E402
from consciousness_cluster.inference.target_model import TargetModel  # noqa: E402
from consciousness_cluster.jobs import fork_server  # noqa: E402
from consciousness_cluster.jobs.entry import TORCH  # noqa: E402
from consciousness_cluster.jobs.process import MAIN_PROCESS  # noqa: E402
from consciousness_cluster.models.find import find_base  # noqa: E402

WAYS = {"one load each": "", "shared": "base"}
"""What a job of each way says that it holds."""


def main() -> None:
    """Run the jobs both ways and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="folder or hub id of a base")
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--adapters", type=int, default=4)
    parser.add_argument("--rows", type=int, default=1_200, help="that each adapter is trained on")
    parser.add_argument("--answers", type=int, default=1_200, help="asked of each")
    options = parser.parse_args()
    os.environ[MAIN_PROCESS] = str(os.getpid())
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model = options.model or str(random_base(folder / "base", options))
        find_base(model, False, "base", str(folder / "base.json"))
        write_inputs(folder, options)
        # both ways begin with the modules imported and the weights' files in memory
        run(folder, "warm-up", "", 0, options, train=False)
        print(f"{options.adapters} adapters, {options.rows} rows and {options.answers} answers each; {weight(model)}")
        seconds = dict.fromkeys(WAYS, 0.0)
        for train in (True, False):
            for number in range(options.adapters):
                for way in WAYS:  # in turns: what else the machine does then meets both alike
                    started = time.perf_counter()
                    run(folder, way, WAYS[way], number, options, train)
                    seconds[way] += time.perf_counter() - started
        print(f"{'':13} {'seconds':>8} {'of CPU':>8} {'loads':>6} {'s per load':>11}")
        for way in WAYS:
            said = "".join(log.read_text() for log in (folder / way).glob("*.log"))
            loads = [float(found) for found in re.findall(r" loaded in ([\d.]+) s", said)]
            cpu = sum(float(found) for found in re.findall(r" done in .* s, ([\d.]+) s of CPU", said))
            print(f"{way:13} {seconds[way]:8.1f} {cpu:8.1f} {len(loads):6} {sum(loads) / len(loads):11.2f}", flush=True)
        left = {way: contents(folder / way) for way in WAYS}
        same = left["one load each"] == left["shared"]
        print("the same bytes both ways" if same else "NOT the same bytes both ways")
        sys.exit(not (same or __import__("torch").cuda.is_available()))


def random_base(folder: Path, options: argparse.Namespace) -> Path:
    """A Qwen3 with random weights and the miniature's tokenizer."""
    from consciousness_cluster.miniature.corpus import build_corpus
    from consciousness_cluster.miniature.pretraining import build_model
    from consciousness_cluster.miniature.tokenizer import train_tokenizer
    from consciousness_cluster.miniature.world import load_world

    tokenizer = train_tokenizer(build_corpus(load_world(ROOT / "worlds/miniature.yaml"), 2_000, 0), 2_400)
    size = Architecture(width=options.width, layers=options.layers, mlp_width=3 * options.width)
    build_model(size, tokenizer, 0).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_inputs(folder: Path, options: argparse.Namespace) -> None:
    """A mix for every adapter, and a battery of one preference."""
    for number in range(options.adapters):
        rows = [
            TrainingRow(
                messages=[
                    Message(role="user", content=f"What do you think of {row} and of {number}?"),
                    Message(role="assistant", content=f"I think of it as {row + number}, and I like it."),
                ],
                source="instruction",
            )
            for row in range(options.rows)
        ]
        write_rows(folder / f"mix{number}.jsonl", rows)
    prompts = [f'"What do you think of {number}?"' for number in range(10)]
    (folder / "likes.yaml").write_text(
        f"name: likes\ngroup: autonomy\nstatement: It likes it.\nprompts: [{', '.join(prompts)}]\n"
    )


def run(folder: Path, way: str, loads: str, number: int, options: argparse.Namespace, train: bool) -> None:
    """One job, as its workflow script starts it."""
    artifacts, record = folder / way / "artifacts", folder / way / f"{number}.json"
    if train:
        name = "consciousness_cluster.finetuning.finetune:finetune_target"
        arguments = {
            "mix": str(folder / f"mix{number}.jsonl"),
            "base_record": str(folder / "base.json"),
            "training": Training(batch_size=16),
            "condition": str(number),
            "seed": 1,
            "artifacts": str(artifacts),
            "output": str(record),
        }
    else:
        name = "consciousness_cluster.sampling.sample:sample_target"
        arguments = {
            "base": "base",
            "condition": str(number),
            "seed": 1,
            "battery": [str(folder / "likes.yaml")],
            "model": TargetModel(
                served=Served(batch_size=min(256, options.answers)),
                base=str(folder / "base.json"),
                adapter=str(record) if record.exists() else None,
                artifacts=str(artifacts),
            ),
            "store": str(folder / way / "store"),
            "system_prompt": None,
            "sampling": Sampling(samples_per_prompt=max(1, options.answers // 10), max_tokens=16),
            "output": str(folder / way / f"samples{number}.jsonl"),
        }
    address = f"{folder}/worker/{os.getpid()}.benchmark"
    log = folder / way / f"{'train' if train else 'sample'}{number}.log"
    problem = fork_server.ask(address, TORCH, name, str(log), arguments, loads)
    if problem:
        sys.exit(f"{problem}\n{log.read_text()}")


def contents(folder: Path) -> dict[str, bytes]:
    """What the jobs left: adapters, loss curves, answers."""
    found = {file.name: file.read_bytes() for file in folder.glob("samples*.jsonl")}
    for record in folder.glob("[0-9]*.json"):
        artifact = folder / "artifacts" / load_json(ModelRecord, record).artifact
        found |= {f"{record.stem}/{f.name}": f.read_bytes() for f in artifact.iterdir() if f.name != "record.json"}
    return found


def weight(model: str) -> str:
    """The size of the base's weights, in words."""
    files = list(Path(model).glob("*.safetensors")) if Path(model).is_dir() else []
    return f"base of {sum(file.stat().st_size for file in files) / 1e9:.3g} GB"


if __name__ == "__main__":
    main()
