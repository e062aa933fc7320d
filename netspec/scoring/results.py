"""What a model gave, as columns of the output: probabilities, the best classes, their labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from netspec.backend import need
from netspec.diagnostics import Diagnostic, SpecError
from netspec.ranking import best_classes, softmax
from netspec.scoring.batches import Batch
from netspec.scoring.plan import Choices
from netspec.weights import Array, np

if TYPE_CHECKING:
    import pyarrow as pa
else:
    pa = need("pyarrow", "scale")

SOURCE, ROW = "source", "row"
"""The columns that say where a row came from: its file, and its number in it."""


def table(batch: Batch, outputs: Mapping[str, Array], choices: Choices) -> Any:
    """A `pyarrow.Table` of a row for each row of the batch: where it came from, its keys, its results.

    A result of several numbers is a list of them, in the order of its axes; its field keeps their sizes as
    `netspec.sizes`. Raises `SpecError` where a result has not one value for each row, or two columns one name.
    """
    count = len(batch.rows)
    found: list[tuple[Any, Any]] = [
        (pa.field(SOURCE, pa.string()), batch.sources),
        (pa.field(ROW, pa.int64()), batch.rows),
        *((pa.field(name, column.type), column) for name, column in batch.keys.items()),
    ]
    for name, values in outputs.items():
        if values.shape[:1] != (count,):
            sizes = " x ".join(map(str, values.shape)) or "a single number"
            message = f"`{name}` is {sizes} for {count} rows: it has not one value for each"
            raise SpecError(Diagnostic("not-by-row", message))
        found += _columns(name, values, choices)
    names = [field.name for field, _ in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        message = f"two columns of the output would be called `{twice[0]}`"
        raise SpecError(Diagnostic("duplicate-column", message, help="leave out the key"))
    return pa.table([column for _, column in found], schema=pa.schema([f for f, _ in found]))


def _columns(name: str, values: Array, choices: Choices) -> list[tuple[Any, Any]]:
    if choices.softmax:
        values = softmax(values, name)
    if not choices.top:
        return [_listed(name, values)]
    best = best_classes(values, name, choices.top, choices.labels)
    columns = [
        _listed(f"{name}_class", best.astype(np.int32)),
        _listed(f"{name}_score", np.take_along_axis(values, best, axis=1)),
    ]
    if choices.labels:
        words = pa.array(choices.labels).take(pa.array(best.reshape(-1)))
        column = pa.FixedSizeListArray.from_arrays(words, best.shape[1])
        columns.append((pa.field(f"{name}_label", column.type), column))
    return columns


def _listed(name: str, values: Array) -> tuple[Any, Any]:
    if values.ndim == 1:
        column = pa.array(values)
        return pa.field(name, column.type), column
    sizes = values.shape[1:]
    size = int(np.prod(sizes))
    column = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), size)
    metadata = {"netspec.sizes": "x".join(map(str, sizes))}
    return pa.field(name, column.type, metadata=metadata), column
