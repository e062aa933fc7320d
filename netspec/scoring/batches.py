"""A batch of rows on its way from a file to a model, and which columns feed which input. Knows no file format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from netspec.backend import need
from netspec.diagnostics import Diagnostic, SpecError, did_you_mean
from netspec.weights import Array, np

if TYPE_CHECKING:
    import pyarrow as pa
else:
    pa = need("pyarrow", "scale")

Sizes = tuple[int | str | None, ...]


class Reading(NamedTuple):
    """What is wanted of a dataset: the sizes of each input without the batch, and the columns that are asked for."""

    inputs: Mapping[str, Sizes]
    columns: Mapping[str, tuple[str, ...]]
    keys: tuple[str, ...]
    batch: int
    scale: float
    root: str = ""


class Batch(NamedTuple):
    """Some rows: arrays by input, key columns, and where each row stands."""

    inputs: dict[str, Array]
    keys: dict[str, pa.Array]
    sources: pa.Array
    rows: pa.Array


def feeding(
    reading: Reading, known: Sequence[str], likely: Sequence[str], where: str
) -> dict[str, tuple[str, ...]]:
    """The columns of each input: those asked for, else the one of its name, else the only `likely` one.

    Raises one `SpecError` for all that are missing, keys too.
    """
    found = dict[str, tuple[str, ...]]()
    wrong = [
        _no_input(name, reading.inputs) for name in reading.columns if name not in reading.inputs
    ]
    free = [name for name in likely if name not in reading.keys]
    for name in reading.inputs:
        if name in reading.columns:
            found[name] = reading.columns[name]
        elif name not in known and len(reading.inputs) == len(free) == 1:
            found[name] = (free[0],)
        else:
            found[name] = (name,)
    for name in dict.fromkeys((*(each for row in found.values() for each in row), *reading.keys)):
        if name not in known:
            help_ = did_you_mean(name, known) or (
                f"there are {', '.join(known)}: name one with --column INPUT=COLUMN"
            )
            wrong.append(
                Diagnostic("missing-column", f"{where} has no column `{name}`", help=help_)
            )
    if wrong:
        raise SpecError(*wrong)
    return found


def _no_input(name: str, inputs: Mapping[str, Sizes]) -> Diagnostic:
    help_ = did_you_mean(name, inputs) or f"the inputs are {', '.join(inputs)}"
    return Diagnostic("unknown-input", f"the model has no input `{name}`", help=help_)


def placed(source: str, start: int, count: int) -> tuple[Any, Any]:
    """The columns that say where rows stand: their source, and their numbers in it."""
    return (
        pa.repeat(pa.scalar(source), count),
        pa.array(np.arange(start, start + count, dtype=np.int64)),
    )
