"""Images in files of their own, one row each: pixels channels first, in the channels that the model takes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from netspec.backend import need
from netspec.diagnostics import Diagnostic, SpecError
from netspec.images import MODES, pixels
from netspec.scoring.batches import Batch, Reading
from netspec.scoring.plan import Shard
from netspec.weights import np

if TYPE_CHECKING:
    import pyarrow as pa
else:
    pa = need("pyarrow", "scale")


def cut(files: Sequence[str], rows: int, reading: Reading) -> Iterator[Shard]:
    """So many files together. Raises `SpecError` for a model that takes no images."""
    _input(reading)
    for start in range(0, len(files), rows):
        some = tuple(files[start : start + rows])
        yield Shard(number=0, source="images", start=start, rows=len(some), files=some)


def read(shard: Shard, reading: Reading) -> Iterator[Batch]:
    """The images of a shard, which must have the input's size. Raises `SpecError`."""
    name, channels = _input(reading)
    for start in range(0, shard.rows, reading.batch):
        files = shard.files[start : start + reading.batch]
        found = [pixels(os.path.join(reading.root, path), channels, shown=path) for path in files]
        sizes_found = {array.shape for array in found}
        if len(sizes_found) > 1:
            said = " and ".join(sorted(f"{h} x {w}" for _, h, w in sizes_found)[:2])
            message = f"images of one batch have several sizes: {said}"
            raise SpecError(Diagnostic("unfit-column", message, help="give them all one size"))
        array = np.stack(found).astype(np.float32) * np.float32(reading.scale)
        rows = pa.array(range(shard.start + start, shard.start + start + len(files)), pa.int64())
        yield Batch({name: array}, {}, pa.array(files), rows)


def _input(reading: Reading) -> tuple[str, int]:
    """The name of the model's input, and how many channels it takes."""
    if len(reading.inputs) != 1 or reading.keys or reading.columns:
        message = "images feed a model with one input, and have no columns"
        raise SpecError(Diagnostic("unfit-column", message))
    ((name, sizes),) = reading.inputs.items()
    if len(sizes) == 3 and isinstance(sizes[0], int) and sizes[0] in MODES:
        return name, sizes[0]
    said = " x ".join(map(str, sizes))
    message = f"`{name}` takes {said}, which is no image of 1, 3 or 4 channels"
    raise SpecError(Diagnostic("unfit-column", message))
