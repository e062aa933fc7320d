"""Examples with labels: tables with a column of them, folders of pictures by class. Knows no network."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from netspec.diagnostics import Diagnostic, SpecError
from netspec.intake import PICTURES, Pictures, Sizes, load_pictures, pictures_in, shaped
from netspec.tables import Table, check_finite, data_places, is_number, open_table, places
from netspec.weights import Array, np


class Reading(NamedTuple):
    """How files become examples: the columns of a table, where not all, and the one of labels, where not the last.

    `pictures` is how pixels become numbers.
    """

    columns: tuple[str, ...] = ()
    label: str | None = None
    pictures: Pictures = PICTURES


class Labelled(NamedTuple):
    """`(n, *sizes)` examples; numbers as they are, or the word of each example's class."""

    x: Array
    y: Array

    @property
    def named(self) -> bool:
        """Whether the targets are words."""
        return self.y.dtype.kind == "U"


class Columns(NamedTuple):
    """What is taken of a table, by name where it names its columns, and else by place."""

    features: Sequence[str] | Sequence[int]
    label: str | int
    width: int


def columns_of(table: Table, reading: Reading) -> Columns:
    """The columns that a reading asks for. Raises `SpecError` where they are not there."""
    usable = data_places(table)
    label = usable[-1] if reading.label is None else places(table, [reading.label])[0]
    chosen = places(table, reading.columns) if reading.columns else usable
    features = [place for place in chosen if place != label]
    if not features:
        raise bad_data(f"{table.path} has no column beside its labels to learn from")
    if reading.columns and label in chosen:
        raise bad_data(
            f"the column `{reading.label or reading.columns[-1]}` has the labels, and is no input"
        )
    if table.names is None:
        return Columns(features, label, table.width)
    names = [table.names[place] for place in features]
    places(table, [*names, table.names[label]])  # each name means one column
    return Columns(names, table.names[label], table.width)


def read_columns(table: Table, columns: Columns, sizes: Sizes | None) -> Labelled:
    """The rows of a table. Raises `SpecError` for a cell that is empty, no number, or not finite."""
    label, features = columns.label, columns.features
    if isinstance(label, str):
        features, (label,) = places(table, [str(name) for name in features]), places(table, [label])
    elif table.names is not None or table.width != columns.width:
        held = "a first line of names" if table.names is not None else f"{table.width} columns"
        raise bad_data(f"{table.path} has {held}, unlike the table that is learned from")
    chosen = [int(place) for place in features]
    cells = table.read(chosen, label)
    if not cells.words:
        raise bad_data(f"{table.path} has no rows")
    check_finite(table, cells.numbers, chosen)
    y = _targets(table, cells.words, label)
    return Labelled(cells.numbers if sizes is None else shaped(cells.numbers, sizes), y)


def read_table(path: str, sizes: Sizes | None, reading: Reading) -> Labelled:
    """A table alone."""
    table = open_table(path)
    return read_columns(table, columns_of(table, reading), sizes)


def _targets(table: Table, words: Sequence[str], place: int) -> Array:
    """Numbers where all words are, whole ones where all are; else the words."""
    numeric = [is_number(word) for word in words]
    if not any(numeric):
        return np.array(words)
    if not all(numeric):
        row = numeric.index(False)
        number = numeric.index(True)
        message = f"{table.place(row)}: the label `{words[row][:40]}` is no number"
        raise bad_data(message, f"`{words[number][:40]}` is one ({table.place(number)})")
    y = np.array([float(word) for word in words])
    check_finite(table, y[:, None], [place])
    return y.astype(np.int64) if (y == np.trunc(y)).all() and (abs(y) < 2**53).all() else y


def class_folders(path: str) -> dict[str, str]:
    """The folders in a folder, by name; those that begin with `_` or a dot are none."""
    with os.scandir(path) as entries:
        return {
            each.name: each.path for each in entries if each.is_dir() and each.name[0] not in "._"
        }


def read_folder(path: str, sizes: Sizes | None, reading: Reading) -> Labelled:
    """The pictures of a folder that has a folder for each class. Raises `SpecError` for what is none of it."""
    files: list[str] = []
    words: list[str] = []
    if loose := pictures_in(path):
        raise bad_data(
            f"{loose[0]} is in the folder of no class", "each class has a folder of its own"
        )
    for name, folder in sorted(class_folders(path).items()):
        if inner := class_folders(folder):
            message = f"{min(inner.values())} is a folder in the folder of a class"
            raise bad_data(
                message, "pictures lie in `CLASS/`, or in `train/CLASS/` and `test/CLASS/`"
            )
        found = pictures_in(folder)
        if not found:
            raise bad_data(f"no picture is in {folder}")
        files += found
        words += [name] * len(found)
    if not files:
        raise bad_data(f"no picture is in {path}", "each class has a folder of its own")
    return Labelled(load_pictures(files, sizes, reading.pictures), np.array(words))


def classes_of(words: Array) -> tuple[str, ...]:
    """The classes in sorted order; by number, where all are whole numbers."""
    found = np.unique(words).tolist()
    if all(name.isdecimal() for name in found):
        found.sort(key=lambda name: (int(name), name))
    for name in found:
        if name.splitlines() != [name]:
            raise bad_data(f"the label {name!r} has several lines")
    return tuple(found)


def numbered(words: Array, classes: Sequence[str], name: str) -> Array:
    """The number of each word's class. Raises `SpecError` for a word that is none of them."""
    order: Mapping[str, int] = {word: number for number, word in enumerate(classes)}
    found, inverse = np.unique(words, return_inverse=True)
    for word in found.tolist():
        if word not in order:
            known = f"the classes are {listed(classes)}"
            raise bad_data(f"{name} has the class `{word}`, which is not learned from", known)
    return np.array([order[word] for word in found.tolist()])[inverse]


def listed(classes: Sequence[str], most: int = 20) -> str:
    """`cat, dog and 3 more`."""
    more = f" and {len(classes) - most} more" if len(classes) > most else ""
    return ", ".join(classes[:most]) + more


def bad_data(message: str, help: str | None = None) -> SpecError:  # noqa: A002
    """What is wrong with examples."""
    return SpecError(Diagnostic("bad-data", message, help=help))
