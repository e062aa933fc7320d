"""Guided by coverage: `python tests/fuzz/coverage.py -max_total_time=600`, where atheris is installed (an option)."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent.parent))

with atheris.instrument_imports(include=["netspec.language", "netspec.format"]):
    from fuzz.properties import check_any_text


def one(content: bytes) -> None:
    """Bytes as a text, judged and formatted: anything but `SpecError` is a finding."""
    check_any_text(content.decode("utf-8", "replace"))


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
