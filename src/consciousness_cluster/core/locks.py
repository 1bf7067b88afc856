"""Leases on files: held by a process, and over when it ends, however it ends; on top of the filelock package.

There are two kinds. ``flock``: the kernel's own lock, over at the moment its process is gone. ``link``: for file
systems on which that does not work. A file that only one process can create names its holder (host, process, boot); it
is over when that process is gone from the same machine, or when a holder on another machine gave no sign of life for
`LEASE_SECONDS`. A holder that finds its lease lost ends, after it has read the answers it will be charged for.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EINVAL, ENOLCK, ENOSYS, EOPNOTSUPP
from pathlib import Path

from filelock import BaseFileLock, SoftFileLease, Timeout, UnixFileLock

from . import shutdown
from .errors import ClusterError, nearest

LOCKS = "CONSCIOUSNESS_CLUSTER_LOCKS"
"""The variable that says which kind is used; set at the start of a run (see `lock_probe`), inherited by its jobs."""

KINDS = ("flock", "link")

LEASE_SECONDS = 180.0
"""Longer than a network file system may show an old modification time (NFS: 60 s), and six signs of life."""

POLL_SECONDS = {"flock": 0.02, "link": 0.2}
"""Between two looks whether somebody else's lease is over."""

NOT_THERE = (ENOSYS, EOPNOTSUPP, ENOLCK, EINVAL)
"""What file systems without flock answer."""

log = logging.getLogger(__name__)


def kind() -> str:
    """Which kind of lease this process uses.

    Raises:
        ClusterError: `LOCKS` says neither.
    """
    found = os.environ.get(LOCKS) or KINDS[0]
    if found not in KINDS:
        raise ClusterError(f"{LOCKS}: found {found!r}, expected {' or '.join(KINDS)}{nearest(found, KINDS)}")
    return found


class Lease:
    """What one process at a time holds. The file that is locked stays free for content in both kinds.

    A child that is forked while its parent holds one does not hold it.

    Args:
        path: the file; made if absent, with its folder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = _lock(self.path)

    def take(self, seconds: float | None = None) -> bool:
        """Hold it; returns whether it is held now.

        Args:
            seconds: how long to wait for another holder; None waits until it is over.

        Raises:
            ClusterError: the file system does not lock files.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=-1 if seconds is None else seconds)
        except Timeout:
            return False
        except OSError as error:
            raise _explained(self.path, error) from None
        return True

    def release(self, forget: bool = False) -> None:
        """End it; ``forget`` removes the file as well, before anybody else can hold it."""
        if forget:
            self.path.unlink(missing_ok=True)
        self._lock.release()


@contextmanager
def locked(path: str | Path, waiting: str = "") -> Iterator[None]:
    """Hold a lease on ``path`` in this block; it ends with the process, however that ends.

    Args:
        path: the file.
        waiting: printed to stderr if somebody else holds it, before this waits; '' prints nothing.
    """
    lease = Lease(path)
    if not (waiting and lease.take(0)):
        if waiting:
            print(waiting, file=sys.stderr, flush=True)
        lease.take()
    try:
        yield
    finally:
        lease.release()


def is_held(path: Path) -> bool:
    """Whether a living process holds a lease on ``path``; what a dead one left there is removed.

    Only one process may ask at a time: hold a lease on the folder, or the like.
    """
    if not _marker(path).exists():
        path.unlink(missing_ok=True)
        return False
    # the same object each time: a lease of another machine is over when this one saw no sign of life
    probe = _probes.setdefault((os.getpid(), path), Lease(path))
    held = not probe.take(0)
    if not held:
        del _probes[os.getpid(), path]
        probe.release(forget=True)
    return held


_probes: dict[tuple[int, Path], Lease] = {}


def _marker(path: Path) -> Path:
    """The file of the lock itself: another one for each kind, as neither would honour the other's."""
    return path if kind() == "flock" else path.with_name(f"{path.name}.lease")


def _lock(path: Path) -> BaseFileLock:
    if kind() == "flock":
        return UnixFileLock(
            path,
            thread_local=False,  # whoever holds the object may end it
            poll_interval=POLL_SECONDS["flock"],
            fallback_to_soft=False,  # that one would outlive a machine
        )
    return SoftFileLease(
        _marker(path),
        thread_local=False,
        poll_interval=POLL_SECONDS["link"],
        lease_duration=LEASE_SECONDS,
        heartbeat_interval=LEASE_SECONDS / 6,
        on_compromise=lambda lost: _end(path, lost.reason),
    )


def _end(path: Path, reason: str) -> None:
    words = f"{path}: the lease was lost ({reason}): another process may hold it now, so this one ends"
    log.error(words)
    print(f"error: {words}", file=sys.stderr, flush=True)
    shutdown.end()


def _explained(path: Path, error: OSError) -> ClusterError:
    if error.errno in NOT_THERE:
        return ClusterError(f"{path}: this file system does not lock files ({error.strerror}); set {LOCKS}=link")
    return ClusterError(f"{path}: cannot be locked ({error.strerror})")
