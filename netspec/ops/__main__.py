"""Writes the index of ops anew."""

from pathlib import Path

from netspec.ops.index import rooms

Path(__file__).with_name("rooms.py").write_text(rooms())
