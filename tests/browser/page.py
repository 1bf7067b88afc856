"""One page in a real Chromium, driven over its DevTools protocol (through aiohttp, which is there already)."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = "--no-first-run --disable-background-networking --disable-component-update --disable-sync --disable-quic"


class Page:
    """See the module.

    Attributes:
        events: everything that the browser reported: requests, errors, messages.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._number = socket, 0
        self.events: list[dict[str, Any]] = []

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol."""
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            message = await self._socket.receive_json()
            if message.get("id") == self._number:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)

    async def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        result = await self.send("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def wait_for(self, script: str) -> None:
        """Wait until a JavaScript expression is true.

        Raises:
            AssertionError: it is not, after 30 s.
        """
        deadline = time.monotonic() + 30
        while not await self.run(script):
            assert time.monotonic() < deadline, f"never true: {script}; {await self.run('document.body?.innerText')}"
            await asyncio.sleep(0.1)

    @property
    def problems(self) -> list[dict[str, Any]]:
        """Exceptions, and errors in the browser's log."""
        return [
            event
            for event in self.events
            if event["method"] == "Runtime.exceptionThrown"
            or (event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] == "error")
        ]

    @property
    def requested(self) -> list[str]:
        """Addresses that were asked for, the data that the page itself holds left out."""
        urls = [e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"]
        return [url for url in urls if not url.startswith("data:")]


@asynccontextmanager
async def opened(file: Path, profile: Path) -> AsyncIterator[Page]:
    """``file`` in a new Chromium whose profile lies in ``profile``.

    Raises:
        AssertionError: there is no Chromium, or it does not start.
    """
    program = next(filter(None, map(shutil.which, NAMES)), None)
    assert program, "the tests of the report need Chromium (Debian's package: chromium)"
    command = [program, "--headless", "--no-sandbox", "--disable-gpu", *QUIET.split(), "--remote-debugging-port=0"]
    browser = subprocess.Popen([*command, f"--user-data-dir={profile}", "about:blank"], stderr=subprocess.DEVNULL)
    try:
        port, deadline = profile / "DevToolsActivePort", time.monotonic() + 60
        while not port.exists() or not port.read_text():
            assert browser.poll() is None, "Chromium ended"
            assert time.monotonic() < deadline, "Chromium did not start"
            await asyncio.sleep(0.1)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port.read_text().split()[0]}") as session:
            pages = [each for each in await (await session.get("/json")).json() if each["type"] == "page"]
            async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                page = Page(socket)
                for domain in ("Runtime", "Log", "Network"):
                    await page.send(f"{domain}.enable")
                await page.send("Page.navigate", url=file.as_uri())
                yield page
    finally:
        browser.terminate()
        browser.wait(30)
