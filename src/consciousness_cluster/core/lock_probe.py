"""Whether the kernel's own locks (flock) work where results lie: asked once, at the start of a run."""

from __future__ import annotations

import fcntl
import os
import sys
import tempfile
from pathlib import Path

from . import locks

LOCAL = {"lustre": ("localflock",), "nfs": ("nolock", "local_lock=all", "local_lock=flock")}
"""Mount options with which a lock holds on one machine only, by the kind of file system."""

MOUNTS = Path("/proc/self/mounts")


def choose_locks(folder: Path) -> str:
    """Choose the kind of lease for this process and all that it starts; says on stderr why, if it is not the usual one.

    Args:
        folder: where results lie, or will lie.

    Returns:
        The kind, which is in the environment now (`locks.LOCKS`). Somebody's own choice there is kept.

    Raises:
        ClusterError: that choice is not a kind.
    """
    if os.environ.get(locks.LOCKS):
        return locks.kind()
    problem = flock_problem(folder)
    os.environ[locks.LOCKS] = "link" if problem else "flock"
    if problem:
        print(
            f"{folder}: flock does not work here ({problem}); leases are files with a heartbeat instead. They need no"
            f" setting, but what was killed on another machine is noticed only after {locks.LEASE_SECONDS:.0f} s;"
            f" a file system mounted with flock is better. {locks.LOCKS}=flock overrules this",
            file=sys.stderr,
        )
    return os.environ[locks.LOCKS]


def flock_problem(folder: Path) -> str:
    """Why locks in ``folder`` (or its nearest parent that is there) do not hold; '' if they seem to."""
    there = next(parent for parent in [folder.absolute(), *folder.absolute().parents] if parent.exists())
    return _two_holders(there) or _only_local(there.resolve())


def _two_holders(folder: Path) -> str:
    """Lock a new file twice: the first must succeed, the second must not."""
    try:
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=".flock-probe-")
    except OSError:
        return ""  # nothing can be written here: a run fails for that reason, in its own words
    other = os.open(name, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return ""
        return "two processes can hold the same lock"
    except OSError as error:
        return f"{error.strerror}, error {error.errno}"
    finally:
        os.close(descriptor)
        os.close(other)
        os.unlink(name)


def _only_local(folder: Path) -> str:
    """Whether the mount says that locks hold on this machine only, so that a job on another does not see them."""
    try:
        mounts = [line.split(" ") for line in MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return ""
    above = [mount for mount in mounts if len(mount) > 3 and folder.is_relative_to(mount[1].replace("\\040", " "))]
    if not above:
        return ""
    _, _, system, options = max(reversed(above), key=lambda mount: len(mount[1]))[:4]
    if system.startswith("beegfs"):
        return "BeeGFS: its locks hold on one machine only, unless its administrator chose otherwise"
    found = [each for each in LOCAL.get(system.removesuffix("4"), ()) if each in options.split(",")]
    return f"{system} is mounted with {found[0]}: a lock holds on one machine only" if found else ""
