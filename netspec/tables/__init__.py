"""Tables in files: columns of numbers and of words, found by name. Knows nothing of networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from netspec.diagnostics import Diagnostic, SpecError, did_you_mean
from netspec.weights import Array, np

TEXT, PARQUET = (".csv", ".tsv"), (".parquet", ".pq")

SUFFIXES = (*TEXT, *PARQUET)


class Cells(NamedTuple):
    """What was read: `(rows, *sizes)`, float64 or whole numbers, and the words of one column."""

    numbers: Array
    words: list[str]


class Table(Protocol):
    """A file whose rows are examples."""

    path: str
    width: int

    @property
    def names(self) -> Sequence[str] | None:
        """Of the columns, where the file names them."""

    def read(self, numbers: Sequence[int], word: int | None = None) -> Cells:
        """These columns, by their places. Raises `SpecError` for a cell that is empty or no number."""

    def place(self, row: int) -> str:
        """The file, and where in it that row of the last reading stands."""


def is_table(path: str) -> bool:
    """Whether the name of a file is that of a table."""
    return path.lower().endswith(SUFFIXES)


def open_table(path: str) -> Table:
    """The table in a file, by its suffix. Raises `SpecError` where there is none."""
    if path.lower().endswith(PARQUET):
        from netspec.tables.arrow import ParquetTable

        return ParquetTable(path)
    from netspec.tables.text import TextTable

    return TextTable(path)


def number(word: str) -> float:
    """The number that a cell holds. Raises `ValueError`."""
    if "_" in word:  # which Python reads as 1000 in 1_000
        raise ValueError
    return float(word)


def is_number(word: str) -> bool:
    """Whether a cell holds a number."""
    try:
        number(word)
    except ValueError:
        return False
    return True


def shown(table: Table, place: int) -> str:
    """A column in messages: its name, or else its number from 1."""
    return f"`{table.names[place]}`" if table.names is not None else str(place + 1)


def places(table: Table, columns: Sequence[str]) -> list[int]:
    """Where these columns stand. Raises `SpecError` where one is missing, or is there twice."""
    if table.names is None:
        raise _bad(f"{table.path} names no columns in its first line")
    found = []
    for name in columns:
        count = table.names.count(name)
        if not count:
            known = [each for each in table.names if each]
            cure = did_you_mean(name, known) or f"its columns are {', '.join(known[:20])}"
            raise _bad(f"{table.path} has no column `{name}`", cure)
        if count > 1:
            raise _bad(f"{table.path} has {count} columns `{name}`")
        found.append(table.names.index(name))
    return found


def data_places(table: Table) -> list[int]:
    """All columns but those without a name among named ones: the numbers of rows, as pandas writes them."""
    return [i for i in range(table.width) if table.names is None or table.names[i]]


def check_finite(table: Table, numbers: Array, columns: Sequence[int]) -> None:
    """Raise `SpecError` for the first cell that is no finite number."""
    if not (wrong := np.argwhere(~np.isfinite(numbers))).size:
        return
    row, *inner = wrong[0].tolist()
    column = columns[inner[0] if len(columns) > 1 else 0]
    value = numbers[tuple(wrong[0])]
    raise _bad(f"{table.place(row)}: column {shown(table, column)} holds {value:g}")


def _bad(message: str, help: str | None = None) -> SpecError:  # noqa: A002
    return SpecError(Diagnostic("bad-table", message, help=help))
