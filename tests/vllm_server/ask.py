"""Ask models through vLLM and the store: `python ask.py FILE` with a JSON list of questions.

Prints, as the last line, the answers by model and the servers that were started.
"""

import json
import logging
import os
import sys
from pathlib import Path

from consciousness_cluster.config.model_config import Served
from consciousness_cluster.core.errors import ClusterError
from consciousness_cluster.core.records import Message
from consciousness_cluster.core.shutdown import end_with
from consciousness_cluster.inference.complete import complete
from consciousness_cluster.inference.requests import Request, SamplingParameters
from consciousness_cluster.inference.store import Store
from consciousness_cluster.inference.target_model import TargetModel
from consciousness_cluster.jobs.process import MAIN_PROCESS
from consciousness_cluster.models import resident

logging.getLogger("consciousness_cluster").setLevel(logging.INFO)
logging.basicConfig(format="%(message)s")
started: list[str] = []


class Starts(logging.Handler):
    """Notes the servers that are started."""

    def emit(self, record):
        if record.getMessage().startswith("starting vLLM"):
            started.append(record.getMessage())


logging.getLogger("consciousness_cluster").addHandler(Starts())

if __name__ == "__main__":
    end_with(os.environ.get(MAIN_PROCESS))
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
    resident.let_go()
    print(json.dumps({"results": results, "servers": started}))
