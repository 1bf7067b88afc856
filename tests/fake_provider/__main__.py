"""Run the fake by hand until it is interrupted."""

from __future__ import annotations

import argparse
import json
import tempfile

from aiohttp import web

from .faults import Fault
from .server import application
from .state import State

parser = argparse.ArgumentParser(prog="python -m tests.fake_provider", description=__doc__)
parser.add_argument("--port", type=int, default=8123)
parser.add_argument("--state", help="folder of its memory; default: a new temporary one")
parser.add_argument("--set", metavar="JSON", default="{}", help="settings, e.g. '{\"latency\": 0.05}'")
parser.add_argument(
    "--fault", metavar="JSON", action="append", default=[], help='e.g. \'{"kind": "rate_limit", "times": 3}\''
)
arguments = parser.parse_args()
state = State(arguments.state or tempfile.mkdtemp(prefix="fake_provider."))
state.set(json.loads(arguments.set))
for text in arguments.fault:
    fault = Fault(**json.loads(text))
    state.put("fault", fault.model_dump() | {"id": state.new_id("fault", "fault-", fault.model_dump())})
address = f"http://127.0.0.1:{arguments.port}"
print(f"OpenAI: {address}/v1  Anthropic: {address}  memory: {state.folder}", flush=True)
web.run_app(application(state), host="127.0.0.1", port=arguments.port, access_log=None, print=None)
