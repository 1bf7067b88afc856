"""Content hashes of large files that are read once: known again by path, size, times and inode until they change.

Every job checks the weights that it loads against their record. What the hashes were is kept among the artifacts, so
that only a file that changed, or that nobody has read yet, is read.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from ..core.errors import ClusterError, EndpointError
from ..core.io import write_text
from ..core.locks import locked

FOLDER = ".hashes"
"""Where they are kept, below the artifact folder."""
SMALL_BYTES = 2**20
"""Files up to this size (configurations, templates, adapters of the miniature) are read every time."""
SETTLED_SECONDS = 3.0
"""A file that changed so shortly before it was read may change again without another time: its hash is not kept."""

Stamp = list[int]
"""Size, time of the last change of the content and of the entry (ns), inode."""

log = logging.getLogger(__name__)


def hash_files(folder: Path, names: Sequence[str], artifacts: Path | None) -> dict[str, str]:
    """SHA-256 of files, each read only if it is small or changed since it was read last.

    Args:
        folder: where they lie.
        names: their paths below it.
        artifacts: the artifact folder, where hashes are kept; None reads every file.

    Returns:
        64 hex digits by name, in the order of ``names``.

    Raises:
        EndpointError: a file cannot be read, or changed while it was read.
    """
    large = [name for name in names if _stamp(folder / name)[0] > SMALL_BYTES]
    kept = artifacts / FOLDER / f"{_key(folder)}.json" if artifacts and large else None
    known = _known(kept, folder, large)
    if len(known) < len(large):
        with _alone(kept, folder):
            known = _known(kept, folder, large)  # another job may have read them meanwhile
            missing = [name for name in large if name not in known]
            size = sum((folder / name).stat().st_size for name in missing)
            if size > 2**30:  # also said where no job has a log yet: Snakemake asks before the first
                words = f"reading {size / 1e9:.3g} GB of {folder}, to know it by its content until a file changes"
                log.info(words)
                print(words, file=sys.stderr, flush=True)
            for name in missing:
                known[name] = _read(folder / name)
            _keep(kept, {name: entry for name, entry in known.items() if _settled(*entry[1:])})
    return {name: known[name][0] if name in known else _read(folder / name)[0] for name in names}


def _known(kept: Path | None, folder: Path, names: Sequence[str]) -> dict[str, tuple[str, Stamp, float]]:
    """Entries whose files are as they were: hash, stamp, and when the file was read."""
    try:
        entries = json.loads(kept.read_text(encoding="utf-8")) if kept else {}
        found = {name: entries[name] for name in names if name in entries}
        return {
            name: (str(sha), stamp, float(at))
            for name, (sha, stamp, at) in found.items()
            if stamp == _stamp(folder / name)
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}  # never kept, or damaged: read again


def _keep(kept: Path | None, entries: dict[str, tuple[str, Stamp, float]]) -> None:
    if kept:
        try:
            write_text(kept, json.dumps(entries, indent=1) + "\n")
        except OSError as error:  # somebody who may only look
            log.info("%s: cannot be written (%s); large files are read again next time", kept, error.strerror)


def _alone(kept: Path | None, folder: Path):
    """Jobs that start together read a folder once: the others wait for the first."""
    if kept is None:
        return nullcontext()
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(kept.parent, os.W_OK):
            return nullcontext()
        return locked(kept.with_suffix(".lock"), f"waiting until another job has read the files of {folder}")
    except (OSError, ClusterError):
        return nullcontext()


def _settled(stamp: Stamp, read: float) -> bool:
    return max(stamp[1:3]) / 1e9 < read - SETTLED_SECONDS


def _key(folder: Path) -> str:
    return hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:32]


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError as error:
        raise EndpointError(f"{path}: cannot be read ({error.strerror})") from None
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _read(path: Path) -> tuple[str, Stamp, float]:
    before, at = _stamp(path), time.time()
    try:
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EndpointError(f"{path}: cannot be read ({error.strerror})") from None
    if _stamp(path) != before:
        raise EndpointError(f"{path}: changed while it was read; expected a model that nobody writes to")
    return found, before, at
