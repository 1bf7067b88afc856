"""vLLM's server of one base, as a subprocess of the job: started, asked for its models, given adapters, and ended.

It listens on a Unix socket in a folder that only this user can enter, for requests with a random key, and ends with
this process however that ends (see `core.watchdog`). Every model that it serves is named by its content hash, and
before it is asked its own list of models must be the one that is expected: no answer of an adapter is taken for the
base's.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

from ..config.api_keys import scrubbed
from ..config.model_config import Engine
from ..core import watchdog
from ..core.errors import EndpointError
from ..models import resident
from .vllm_environment import find_interpreter
from .vllm_launch import SAYS
from .vllm_settings import needs, server_arguments

LOOK = 0.1  # seconds between looks whether it is ready
LONGEST_PATH = 100  # bytes in the path of a Unix socket, of 107
END_SECONDS = 30.0
EXCEPTION = r"([\w.]+\.)?\w*(Error|Exception)\b(: |$)"
REASON_LINES = 6

log = logging.getLogger(__name__)


class Server:
    """A started server; `start` makes one.

    Args:
        base: folder of the base.
        name: the base's content hash, its name in requests.
        rank: the highest rank of an adapter that it has room for; 0 for none.
        experts: whether it has room for adapters of a mixture's experts.
        settings: as in the experiment.
    """

    def __init__(self, base: Path, name: str, rank: int, experts: bool, settings: Engine) -> None:
        self.base, self.name, self.rank, self.experts = base, name, rank, experts
        self.adapters: dict[str, str] = {}
        self.max_length = 0
        self.key = secrets.token_hex(32)
        self._tail: deque[str] = deque(maxlen=500)
        self._stopped = False
        python, folder = find_interpreter(), _private_folder()
        self.socket = f"{folder}/s"
        arguments = server_arguments(base.absolute(), name, rank, experts, settings)
        log.info("starting vLLM with %s: %s", python, " ".join(arguments))
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", watchdog.__name__, folder),
                *(python, "-m", f"{__package__}.vllm_launch", *arguments, "--uds", self.socket),
            ],
            env=_environment(python, folder, self.key),
            stdin=subprocess.PIPE,  # closes with this process: see the watchdog
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def ended(self) -> bool:
        """Whether the server is gone."""
        return self._process.poll() is not None

    def wait(self) -> None:
        """Return when the server can be asked.

        Raises:
            EndpointError: it ended before.
        """
        while not (os.path.exists(self.socket) and self._healthy()):
            if self.ended:
                raise EndpointError(self.reason())
            time.sleep(LOOK)
        self.check()

    def serve(self, name: str, adapter: Path) -> None:
        """Load ``adapter`` beside the base's weights under its content hash ``name``, unless it is there.

        Raises:
            EndpointError: vLLM refuses the adapter, or serves something else than it should.
        """
        path = str(adapter.absolute())
        if self.adapters.get(name) != path:
            body = {"lora_name": name, "lora_path": path, "is_3d_lora_weight": needs(adapter)[1]}
            response = self._ask("POST", "/v1/load_lora_adapter", json=body)
            if response.status_code != 200:
                raise EndpointError(f"{adapter}: vLLM refuses this adapter: {_said(response)}")
            self.adapters[name] = path
        self.check()

    def check(self) -> None:
        """Compare what the server says that it serves with what it should.

        Raises:
            EndpointError: it serves other models, or under other names.
        """
        response = self._ask("GET", "/v1/models")
        if response.status_code != 200:
            raise EndpointError(f"{self.base}: vLLM does not say which models it serves: {_said(response)}")
        cards = response.json()["data"]
        found = sorted((card["id"], card["root"], card["parent"] or "") for card in cards)
        base = (self.name, str(self.base.absolute()), "")
        expected = sorted([base, *((name, path, self.name) for name, path in self.adapters.items())])
        if found != expected:
            raise EndpointError(f"{self.base}: vLLM serves {_listed(found)}, expected {_listed(expected)}")
        self.max_length = next(card["max_model_len"] for card in cards if card["id"] == self.name)

    def stop(self) -> None:
        """End the server and all that it started; returns when they are gone, and the GPU is free."""
        self._stopped = True
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            log.warning("vLLM's server did not end within %.0f s", END_SECONDS)
        self._reader.join(1.0)

    def reason(self) -> str:
        """Why the server ended, in its own words, after that it has ended."""
        self._reader.join(1.0)
        status = self._process.poll()
        return _reason(list(self._tail)) or f"it ended with status {status}" + ", killed (out of memory?)" * (
            status in (-9, 137)
        )

    def _read(self) -> None:
        """Pass what the server says on to the log of the job that runs now."""
        assert self._process.stdout
        for line in self._process.stdout:
            line = scrubbed(line.rstrip(), self.key)
            if line and " Route: /" not in line and not self._stopped:
                self._tail.append(line)
                log.info("vLLM: %s", line)

    def _healthy(self) -> bool:
        import httpx2

        try:
            return self._client().get("/health").status_code == 200
        except httpx2.TransportError:
            return False

    def _ask(self, method: str, path: str, **content: Any) -> Any:
        import httpx2

        try:
            return self._client().request(
                method, path, headers={"Authorization": f"Bearer {self.key}"}, timeout=None, **content
            )
        except httpx2.TransportError as error:
            words = self.reason() if self.ended else type(error).__name__
            raise EndpointError(f"{self.base}: vLLM's server cannot be asked: {words}") from None

    def _client(self) -> Any:
        import httpx2

        return httpx2.Client(transport=httpx2.HTTPTransport(uds=self.socket), base_url="http://vllm")


def running(base: Path, name: str, adapter: Path | None, settings: Engine) -> Server:
    """A server with the weights of ``base`` and room for ``adapter``: the one that an earlier job left, or a new one.

    Args:
        base: folder of a causal LM.
        name: content hash of the base.
        adapter: folder of an adapter that will be asked; None leaves room for none.
        settings: as in the experiment.

    Raises:
        EndpointError: vLLM or a GPU is missing, or vLLM refuses the model or the settings.
    """
    rank, experts = needs(adapter) if adapter else (0, False)
    key = ("vllm", str(base.absolute()), name, json.dumps(settings.model_dump()))

    def held() -> Server:
        return resident.hold(key, lambda: start(base, name, rank, experts, settings), Server.stop, apart=True)

    found = held()
    if found.rank < rank or found.experts < experts or found.ended:
        resident.let_go()
        found = held()
    return found


def start(base: Path, name: str, rank: int, experts: bool, settings: Engine) -> Server:
    """Start a server and wait until it can be asked; see `Server` and `running`."""
    server = Server(base, name, rank, experts, settings)
    try:
        server.wait()
    except EndpointError as error:
        server.stop()
        if str(error).startswith(SAYS):
            raise EndpointError(str(error).removeprefix(SAYS)) from None
        raise EndpointError(
            f"{base}: vLLM cannot run this model here: {error} (engine: {json.dumps(settings.model_dump())})"
        ) from None
    except BaseException:
        server.stop()
        raise
    return server


def _private_folder() -> str:
    """A new folder that only this user can enter, with a path short enough for a socket."""
    folder = tempfile.mkdtemp(prefix="vllm-")
    # vLLM's own sockets in there have names of 36 letters
    if len(os.fsencode(folder)) + 40 > LONGEST_PATH:
        os.rmdir(folder)
        folder = tempfile.mkdtemp(prefix="vllm-", dir="/tmp")
    return folder


def _environment(python: str, folder: str, key: str) -> dict[str, str]:
    """Environment variables of the server: those of this process, and what it is told by them alone."""
    programs = f"{Path(python).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    defaults = {
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "HF_HUB_OFFLINE": "1",
        "VLLM_LOGGING_COLOR": "0",
        "VLLM_HOST_IP": "127.0.0.1",  # its processes are all here; else it asks the network which address it has
        # on CPUs it would pin its arithmetic to the first cores, as a server beside it does, and keep one core free
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    }
    return (
        defaults
        | os.environ
        | {
            "PATH": programs,  # compilers of kernels look for their tools there
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "PYTHONUNBUFFERED": "1",
            "VLLM_API_KEY": key,
            "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1",
            "VLLM_RPC_BASE_PATH": folder,
        }
    )


def _said(response: Any) -> str:
    """What an HTTP error says."""
    try:
        error = response.json()["error"]
        words = error["message"] if isinstance(error, dict) else error
    except (ValueError, KeyError, TypeError):
        words = response.text
    return " ".join(str(words).split())[:500] or f"HTTP {response.status_code}"


def _listed(models: list[tuple[str, str, str]]) -> str:
    return ", ".join(f"{name[:12]} ({path}{', an adapter' if parent else ''})" for name, path, parent in models)


def _reason(lines: list[str]) -> str:
    """The first exception, or the launcher's own word, in what the server printed; '' if there is none."""
    plain = [re.sub(r"^(\(\w+ pid=\d+\)\s?)?((ERROR|WARNING|INFO) [\d: -]+\[[^]]*\]\s?)?", "", line) for line in lines]
    for line in plain:
        if line.startswith(SAYS):
            return line
    raised = [number for number, line in enumerate(plain) if re.match(EXCEPTION, line)]
    if not raised:
        return ""
    first, *later = raised
    said = plain[first : min([first + REASON_LINES, *later])]
    ends = (n for n, line in enumerate(said) if n and line.startswith(("Traceback", "During handling", "[type=")))
    return " ".join(" ".join(said[: next(ends, None)]).split())[:500]
