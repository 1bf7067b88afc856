"""How a process of this project ends before its time, and what it does first: read the answers
that it will be charged for.

The end comes when Snakemake is gone (`end`, from a thread that watches it), or by a signal.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

LONGEST = 120.0
"""Seconds that the end is put off, at most."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_requested = threading.Event()
_busy = threading.RLock()


def is_requested() -> bool:
    """Whether this process has to end: what costs money is not begun any more."""
    return _requested.is_set()


@contextmanager
def deferred() -> Iterator[None]:
    """Put the end off while this block runs; the block looks at `is_requested` and then comes to its end itself.

    Once the end is wanted, the block must raise: it is what ends the process, with everything cleaned up. A second
    signal works as if there were no such block.
    """
    _busy.acquire()
    before = _listen()
    try:
        yield
    finally:
        _restore(before)
        if not is_requested():
            _busy.release()


def end() -> NoReturn:
    """End this process: now, or when a block of `deferred` has ended."""
    _requested.set()
    _busy.acquire(timeout=LONGEST)
    os._exit(1)


def _listen() -> dict[signal.Signals, Any]:
    if threading.current_thread() is not threading.main_thread():
        return {}
    before: dict[signal.Signals, Any] = {}

    def want(*_: object) -> None:
        _requested.set()
        _restore(before)

    before |= {number: signal.signal(number, want) for number in SIGNALS}
    return before


def _restore(before: dict[signal.Signals, Any]) -> None:
    for number, handler in before.items():
        signal.signal(number, handler)


def end_with(process: str | None, leave: Callable[[], None] = lambda: None) -> None:
    """End this process, after calling ``leave``, as soon as process id ``process`` is gone; None: nothing to watch."""
    if process:
        threading.Thread(target=_watch, args=(int(process), leave), daemon=True).start()


def _watch(process: int, leave: Callable[[], None]) -> None:
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(ProcessLookupError):
            select.select([os.pidfd_open(process)], [], [])
    else:
        while is_alive(process):
            time.sleep(0.5)
    leave()
    end()


def is_alive(process: int) -> bool:
    """Whether a process with this id exists."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
