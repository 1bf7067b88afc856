"""Loaded into each worker process that vLLM starts (with several GPUs): the worker ends when its job does.

vLLM's own workers look for their parent only once the weights are loaded, and one that waits for another GPU may never.
"""

from __future__ import annotations

import multiprocessing

from ..core.shutdown import end_with


class EndsWithItsJob:
    """Named to vLLM as an extension of its workers; that it is loaded is what counts."""


if parent := multiprocessing.parent_process():
    end_with(str(parent.pid))
