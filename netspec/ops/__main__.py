"""Writes the index of ops anew."""

from netspec.ops.index import PATH, content

PATH.write_text(content())
