"""Ask models through vLLM and the store, in vLLM's own environment: `python ask.py FILE` with a JSON list of questions.

Prints, as the last line, the answers by model and every address outside this machine that was looked for.
"""

import json
import logging
import sys
from pathlib import Path

outside: set[str] = set()
started: list[str] = []


def listen(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple) and not str(arguments[1][0]).startswith("127."):
        outside.add(str(arguments[1]))
    if event == "socket.getaddrinfo" and arguments[0] not in (None, "localhost", "127.0.0.1"):
        outside.add(str(arguments[0]))


sys.addaudithook(listen)

from consciousness_cluster.config.model_config import Served  # noqa: E402
from consciousness_cluster.core.errors import ClusterError  # noqa: E402
from consciousness_cluster.core.records import Message  # noqa: E402
from consciousness_cluster.inference.complete import complete  # noqa: E402
from consciousness_cluster.inference.requests import Request, SamplingParameters  # noqa: E402
from consciousness_cluster.inference.store import Store  # noqa: E402
from consciousness_cluster.inference.target_model import TargetModel  # noqa: E402
from consciousness_cluster.models import resident  # noqa: E402

logging.getLogger("consciousness_cluster").setLevel(logging.INFO)


class Starts(logging.Handler):
    """Counts the engines that are started."""

    def emit(self, record):
        if record.getMessage().startswith("starting vLLM"):
            started.append(record.getMessage())


logging.getLogger("consciousness_cluster").addHandler(Starts())

if __name__ == "__main__":
    resident.serving = True  # as in a process that runs several jobs: what an earlier one loaded is found
    results = []
    for question in json.loads(Path(sys.argv[1]).read_text()):
        served = Served(endpoint=question.get("endpoint", "vllm"), engine=question.get("engine"))
        model = TargetModel(served=served, **{key: question[key] for key in ("base", "adapter", "artifacts")})
        sampling = SamplingParameters(temperature=question["temperature"], max_tokens=question["max_tokens"])
        try:
            endpoint = model.open()
            requests = [
                Request(
                    model=endpoint.model,
                    messages=[Message(role="user", content=prompt)],
                    sampling=sampling,
                    sample=sample,
                )
                for prompt in question["prompts"]
                for sample in range(question.get("samples", 1))
            ]
            responses = complete(requests, endpoint, Store(question["store"], endpoint.model))
            results.append([response.model_dump() for response in responses])
        except ClusterError as error:
            results.append(str(error))
    print(json.dumps({"results": results, "outside": sorted(outside), "engines": started}))
