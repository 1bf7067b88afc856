"""Progress of long work: a bar on a terminal, one line every few seconds in a log."""

from __future__ import annotations

import logging
import sys
import time

from tqdm import tqdm

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 5.0


class Progress:
    """Counts steps of known work.

    Args:
        total: number of steps.
        what: what a step is, in the plural ("answers", "steps").
    """

    def __init__(self, total: int, what: str) -> None:
        self.total, self.what = total, what
        self.done, self.note = 0, ""
        self._started = self._last = time.monotonic()
        self._said = 0
        self._bar: tqdm | None = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            self._bar = tqdm(total=self.total, desc=self.what)
        return self

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Report ``steps`` more steps; ``note`` (e.g. the loss) is shown beside them."""
        self.done, self.note = self.done + steps, note
        if self._bar is not None:
            self._bar.update(steps)
            self._bar.set_postfix_str(note, refresh=False)
        elif time.monotonic() - self._last >= SECONDS_BETWEEN_LINES:
            self._say()

    def _say(self) -> None:
        self._last, self._said = time.monotonic(), self.done
        seconds = self._last - self._started
        log.info(
            "%s: %d of %d in %.0f s%s", self.what, self.done, self.total, seconds, f", {self.note}" * bool(self.note)
        )

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
        elif self._said != self.done:
            self._say()
