"""CSV and its kin: which line names the columns, what separates them, cells as numbers or words."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import islice

from netspec.diagnostics import Diagnostic, SpecError
from netspec.tables import Cells, is_number, number, shown
from netspec.weights import Array, np

_CHUNK = 4096
"""Rows that become an array at once: as Python's numbers they take four times the memory."""


class TextTable:
    """A table with a row in each line. Columns are separated by commas, by tabs in a `.tsv`, or by semicolons.

    The first line names the columns where it has a word above a number, or no number at all.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._separator = "\t" if path.lower().endswith(".tsv") else ","
        self._lines: list[int] = []
        try:
            first, *rest = (row for _, row in islice(self._rows(), 2))
        except ValueError:
            raise SpecError(Diagnostic("bad-table", f"{path} has no rows")) from None
        if len(first) == 1 and self._separator == "," and ";" in first[0]:
            self._separator = ";"
            first, *rest = (row for _, row in islice(self._rows(), 2))
        self.width = len(first)
        self.names = [word.strip() for word in first] if _is_head(first, *rest) else None

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """The lines that are not empty, with their numbers."""
        try:
            with open(self.path, encoding="utf-8-sig", newline="") as file:
                reader = csv.reader(file, delimiter=self._separator)
                for row in reader:
                    if any(map(str.strip, row)):
                        yield reader.line_num, row
        except OSError as error:
            message = f"cannot read {self.path}: {error.strerror}"
            raise SpecError(Diagnostic("unreadable-file", message)) from None
        except (UnicodeDecodeError, csv.Error) as error:
            raise SpecError(Diagnostic("bad-table", f"{self.path} is no table: {error}")) from None

    def place(self, row: int) -> str:
        """`FILE:LINE`."""
        return f"{self.path}:{self._lines[row]}"

    def read(self, numbers: Sequence[int], word: int | None = None) -> Cells:
        """These columns. Raises `SpecError` for a line of another width, and a cell that is empty or no number."""
        self._lines = []
        words: list[str] = []
        done: list[Array] = []
        held: list[list[float]] = []
        for line, row in islice(self._rows(), int(self.names is not None), None):
            self._lines.append(line)
            self._check_width(row)
            held.append(self._numbers(row, numbers))
            if word is not None:
                if not (text := row[word].strip()):
                    raise self._refusal(word, row[word])
                words.append(text)
            if len(held) == _CHUNK:
                done.append(np.array(held))
                held.clear()
        last = np.array(held).reshape(len(held), len(numbers))
        return Cells(_whole(np.concatenate([*done, last])), words)

    def _check_width(self, row: Sequence[str]) -> None:
        """Empty columns behind the last one are let pass."""
        if len(row) < self.width or any(map(str.strip, row[self.width :])):
            message = f"{self.place(-1)}: the line has {len(row)} columns, not {self.width}"
            raise SpecError(Diagnostic("bad-table", message))

    def _numbers(self, row: Sequence[str], columns: Sequence[int]) -> list[float]:
        try:
            return [number(row[column]) for column in columns]
        except ValueError:
            column = next(each for each in columns if not is_number(row[each]))
            raise self._refusal(column, row[column]) from None

    def _refusal(self, column: int, cell: str) -> SpecError:
        what = f"`{cell.strip()[:40]}` is no number" if cell.strip() else "a cell is empty"
        message = f"{self.place(-1)}: {what} (column {shown(self, column)})"
        cure = "columns of numbers are chosen by name: --columns" if self.names else None
        return SpecError(Diagnostic("bad-table", message, help=cure if cell.strip() else None))


def _is_head(first: Sequence[str], below: Sequence[str] = ()) -> bool:
    """Whether the first line holds names and not values."""
    numbers = [is_number(word) for word in first]
    above = zip(numbers, below, strict=False)
    return not any(numbers) or any(not named and is_number(word) for named, word in above)


def _whole(numbers: Array) -> Array:
    """As whole numbers where all are."""
    with np.errstate(invalid="ignore"):
        exact = numbers.size and (abs(numbers) < 2**53).all()
    return numbers.astype(np.int64) if exact and (numbers == np.trunc(numbers)).all() else numbers
