"""Parquet: columns of numbers, of lists of numbers, and of words, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from netspec.backend import need
from netspec.diagnostics import Diagnostic, SpecError
from netspec.tables import Cells
from netspec.weights import Array, np

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
else:
    pa = need("pyarrow", "scale")
    pq = need("pyarrow.parquet", "scale")


class ParquetTable:
    """A Parquet file, whose rows are counted from 0."""

    def __init__(self, path: str) -> None:
        self.path = path
        with open_file(path) as file:
            self.names: list[str] = file.schema_arrow.names
        self.width = len(self.names)

    def place(self, row: int) -> str:
        """`FILE, row N`."""
        return f"{self.path}, row {row}"

    def read(self, numbers: Sequence[int], word: int | None = None) -> Cells:
        """These columns: several of numbers, or one of numbers or lists. Raises `SpecError` for all others."""
        names = [self.names[place] for place in numbers]
        label = None if word is None else self.names[word]
        with open_file(self.path) as file:
            table = file.read(columns=[*names, *([] if label is None else [label])])
        columns = [array_of(_joined(table, name), name, self.path) for name in names]
        words = [] if label is None else self._words(_joined(table, label), label)
        return Cells(columns[0] if len(names) == 1 else together(columns, names, self.path), words)

    def _words(self, column: Any, name: str) -> list[str]:
        if column.null_count:
            raise unfit(self.path, name, _missing(column, 0, [len(column)]))
        return [str(value).strip() for value in column.to_pylist()]


def open_file(path: str) -> Any:
    """The file, to read from. Raises `SpecError`."""
    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid) as error:
        reason = str(error).split("\n")[0]
        raise SpecError(Diagnostic("unreadable-file", f"cannot read {path}: {reason}")) from None


def _joined(table: Any, name: str) -> Any:
    """A column whose pieces are one."""
    column = table.column(name).combine_chunks()
    return pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column


def together(arrays: Sequence[Array], columns: Sequence[str], where: str) -> Array:
    """Columns of single numbers side by side. Raises `SpecError` for lists."""
    for array, name in zip(arrays, columns, strict=True):
        if array.ndim != 1:
            raise unfit(where, name, "holds lists: of several columns each holds one number a row")
    return np.stack(arrays, axis=1)


def is_list(kind: Any) -> bool:
    """Whether a column of this type holds lists."""
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def array_of(column: Any, name: str, where: str, first: int = 0) -> Array:
    """A column as an array: one number a row, or lists of equal length, which may hold lists.

    `first` is the number of its first row in messages. Raises `SpecError` for all others.
    """
    if isinstance(column, pa.ExtensionArray):
        if isinstance(column.type, pa.FixedShapeTensorType):
            tensor: Array = column.to_numpy_ndarray()
            return tensor
        column = column.storage
    sizes = [len(column)]
    while True:
        if column.null_count:
            raise unfit(where, name, _missing(column, first, sizes))
        if not is_list(column.type):
            break
        count = len(column)
        values = column.flatten()
        size = len(values) // count if count else 0
        if not pa.types.is_fixed_size_list(column.type):
            lengths = np.diff(column.offsets.to_numpy(zero_copy_only=False))
            if (lengths != size).any():
                message = f"holds lists of {lengths.min()} to {lengths.max()} numbers"
                raise unfit(where, name, message)
        sizes.append(size)
        column = values
    if not (
        pa.types.is_integer(column.type)
        or pa.types.is_floating(column.type)
        or pa.types.is_boolean(column.type)
    ):
        raise unfit(where, name, f"holds {column.type}, and no numbers")
    array: Array = column.to_numpy(zero_copy_only=False)
    return array.reshape(sizes)


def _missing(column: Any, first: int, sizes: Sequence[int]) -> str:
    """What lacks: `sizes` are those of the rows and lists around the column's values."""
    place = int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
    row = place // max(int(np.prod(sizes[1:])), 1)
    return f"holds missing values, the first in row {first + row}"


def unfit(where: str, name: str, fact: str) -> SpecError:
    """What is wrong with a column."""
    return SpecError(Diagnostic("unfit-column", f"the column `{name}` of {where} {fact}"))
