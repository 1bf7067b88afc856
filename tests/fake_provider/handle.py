"""Starting the fake, and telling it what to do."""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.request
from pathlib import Path
from typing import Any

from aiohttp import web

from .server import application
from .state import State

KEY = "sk-fake"


class Controls:
    """A fake that runs somewhere: its addresses, and what a test tells it or asks it.

    Args:
        url: ``http://127.0.0.1:<port>``.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def openai_url(self) -> str:
        """``base_url`` of OpenAI's client."""
        return f"{self.url}/v1"

    @property
    def anthropic_url(self) -> str:
        """``base_url`` of Anthropic's client."""
        return self.url

    def environment(self) -> dict[str, str]:
        """Variables with which the clients find this server and may use it."""
        return {
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": self.openai_url,
            "ANTHROPIC_API_KEY": KEY,
            "ANTHROPIC_BASE_URL": self.anthropic_url,
        }

    def _call(self, what: str, content: Any = None, method: str | None = None) -> Any:
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(f"{self.url}/fake/{what}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def set(self, **settings: Any) -> None:
        """Change settings (see `state.DEFAULTS`)."""
        self._call("settings", settings)

    def fault(self, kind: str, **details: Any) -> None:
        """Order a fault (see `faults.Fault`)."""
        self._call("faults", {"kind": kind} | details)

    def clear_faults(self) -> None:
        """No fault strikes any more."""
        self._call("faults", method="DELETE")

    def faults(self) -> list[dict[str, Any]]:
        """All faults ordered, with how often each struck."""
        return self._call("faults")

    def ledger(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Every request that was paid for, in order; ``kind``: chat, messages, job."""
        return [row for row in self._call("ledger") if kind in (None, row["kind"])]

    def load(self) -> dict[str, int]:
        """Requests in flight now, the most there ever were, and requests answered."""
        return self._call("load")


class FakeProvider(Controls):
    """The fake in a thread of this process, as a context manager.

    Args:
        folder: its memory.
        port: 0 takes a free one.
    """

    def __init__(self, folder: str | Path, port: int = 0) -> None:
        self.folder, self.port = Path(folder), port
        super().__init__(f"http://127.0.0.1:{port}")

    def start(self) -> FakeProvider:
        """Serve until `stop`; returns when it listens."""
        listening = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_until_complete, args=(self._serve(listening),), daemon=True
        )
        self._thread.start()
        if not listening.wait(30):
            raise RuntimeError(f"the fake did not start on port {self.port}")
        return self

    async def _serve(self, listening: threading.Event) -> None:
        state = State(self.folder)
        runner = web.AppRunner(application(state), access_log=None, shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port)
        await site.start()
        self.port = runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._stop = asyncio.Event()
        listening.set()
        await self._stop.wait()
        await runner.cleanup()
        state.close()

    def stop(self) -> None:
        """Stop serving; a later `start` goes on from the same folder on the same port."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        self._loop.close()

    def __enter__(self) -> FakeProvider:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
