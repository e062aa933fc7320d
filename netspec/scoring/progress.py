"""How far a job is, on stderr: a line that is written over on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time

EVERY = 10.0
"""Seconds between lines that stay."""


class Progress:
    """Told how many rows are done, it says so, with the rate and what is left at that rate."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._began = self._last = time.monotonic()
        self._before: int | None = None

    def __call__(self, done: int, total: int) -> None:
        """Rows that are done, and all."""
        now = time.monotonic()
        if self._before is None:
            self._before = done
            if done:
                self._write(f"{done:,} of {total:,} rows were done before")
            return
        if not self._terminal and now - self._last < EVERY:
            return
        self._last = now
        rate = (done - self._before) / max(now - self._began, 1e-9)
        left = (total - done) / max(rate, 1e-9)
        words = f"{done:,} of {total:,} rows ({100 * done // total} %), {rate:,.0f} rows/s"
        self._write(f"{words}, {left:.0f} s left" if done < total else words)

    def _write(self, words: str) -> None:
        start, end = ("\r\x1b[K", "") if self._terminal else ("", "\n")
        print(f"{start}{words}", end=end, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Leave the line, where it is one that is written over."""
        if self._terminal and self._before is not None:
            print(file=sys.stderr, flush=True)
