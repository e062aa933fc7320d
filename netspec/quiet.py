"""Imports of a framework without the notes that it writes on its start. Knows no framework's use."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile

_NOTE = re.compile(rb"(I\d{4} |WARNING: All log messages before absl::InitializeLog\(\)).*\n")


@contextmanager
def without_notes() -> Iterator[None]:
    """What TensorFlow notes on stderr meanwhile is left out; whatever else is written there comes at the end.

    `TF_CPP_MIN_LOG_LEVEL` is TensorFlow's own switch, but does not reach what its libraries say while they load.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        stderr = os.dup(2)
    except OSError:  # a process without one
        yield
        return
    with TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            caught.seek(0)
            os.write(2, _NOTE.sub(b"", caught.read()))
