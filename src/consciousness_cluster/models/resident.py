"""What a process keeps loaded from one job to the next: one base, or one server, at a time.

Loading a large base costs more than training or asking an adapter of it. A process that runs several jobs, one after
another (see `pool`), therefore keeps what the last job loaded. Anywhere else nothing is kept, and `hold` just loads.
"""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

HEAVY_BYTES = 2**30
"""With more main memory than this, or a GPU in use, a process must end before another one loads something else."""

log = logging.getLogger(__name__)

serving = False
"""Set in a process that runs jobs one after another."""


@dataclass
class _Held:
    key: Hashable
    value: Any
    release: Callable[[Any], None]
    apart: bool


_held: _Held | None = None
Loaded = TypeVar("Loaded")


def hold(
    key: Hashable,
    load: Callable[[], Loaded],
    release: Callable[[Loaded], None] = lambda _: None,
    apart: bool = False,
) -> Loaded:
    """What ``load`` returns, or returned to an earlier job of this process for the same ``key``.

    Args:
        key: everything that decides what is loaded: what it is (a base, a server), its weights' hash, where it lies.
        load: called when something else is held, after that was let go, so that the two never share the memory.
        release: frees what is not freed by forgetting it (a server's processes).
        apart: it lives in processes of its own, whose memory this one does not see.
    """
    global _held
    if not serving:
        return load()
    if _held is None or _held.key != key:
        let_go()
        _held = _Held(key, load(), release, apart)
    else:
        log.info("found loaded by an earlier job")
    return _held.value


def holds(key: Hashable) -> bool:
    """Whether ``hold`` would return for ``key`` what is there already."""
    return _held is not None and _held.key == key


def let_go() -> None:
    """Forget what is held, and free its memory."""
    global _held
    if _held is not None:
        held, _held = _held, None
        held.release(held.value)
        del held
        collect()


def collect() -> None:
    """Free what a job left: adapters and their models refer to each other in circles."""
    gc.collect()
    if _uses_gpu():
        sys.modules["torch"].cuda.empty_cache()


def is_heavy() -> bool:
    """Whether this process, or a server that it started, uses a GPU or much main memory of its own."""
    return (_held is not None and _held.apart) or _uses_gpu() or _own_bytes() > HEAVY_BYTES


def _uses_gpu() -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and torch.cuda.is_initialized()


def _own_bytes() -> int:
    try:
        with open("/proc/self/smaps_rollup", encoding="ascii") as lines:
            return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))
    except OSError:
        return HEAVY_BYTES + 1  # unknown: better to end too early
