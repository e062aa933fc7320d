"""Examples to learn from, in parts: files, folders, and scikit-learn's bundled sets. Knows no network."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from netspec.arrays import load_arrays
from netspec.backend import need
from netspec.diagnostics import did_you_mean
from netspec.intake import Sizes
from netspec.labelled import (
    Labelled,
    Reading,
    bad_data,
    class_folders,
    classes_of,
    columns_of,
    numbered,
    read_columns,
    read_folder,
)
from netspec.tables import is_table, open_table
from netspec.weights import Array, np


class Part(NamedTuple):
    """Examples: an array for each input of the network (`x` stands for a single one), and what they should give.

    The first axis of every array counts the examples.
    """

    x: Mapping[str, Array]
    y: Array

    def take(self, which: Array) -> Part:
        """Some of the examples, by their numbers."""
        return Part({name: array[which] for name, array in self.x.items()}, self.y[which])


def labels_file(classes: Sequence[str]) -> bytes:
    """Names of classes as a file, a line each: what `--labels` takes."""
    return "".join(f"{name}\n" for name in classes).encode()


class Data(NamedTuple):
    """What there is to learn from, and what is held out: to choose by (`val`), and to judge by (`test`).

    `classes` are the names of the classes, in the order of their numbers, where the data name them.
    """

    name: str
    train: Part
    val: Part | None = None
    test: Part | None = None
    classes: tuple[str, ...] = ()


def load_data(
    name: str | Path,
    wanted: Mapping[str, Sizes] | None = None,
    reading: Reading = Reading(),  # noqa: B008 (immutable)
) -> Data:
    """The examples in a `.npz` file, a table or a folder, or a bundled set by its name: `BUNDLED` has them.

    A `.npz` file holds `x` and `y`, or `x_train` and `y_train`, and what is held out as `x_val` and `y_val`, `x_test`
    and `y_test`. A network of several inputs takes an array by the name of each in the place of `x`. A table (CSV
    or Parquet) has a row for each example, a folder a folder of pictures for each class; parts are `train.csv` and
    `test.csv`, or `train/` and `test/`, in one folder. `wanted` are the sizes of the network's inputs, which pictures
    need. Raises `SpecError`.
    """
    path = str(name)
    if path in BUNDLED:
        return BUNDLED[path]()
    if os.path.isdir(path):
        return _folder(path, _single(path, wanted), reading)
    if is_table(path):
        return _tables(path, {"train": path}, _single(path, wanted), reading)
    if Path(path).suffix != ".npz":
        if os.path.exists(path):
            kinds = "a .npz file, a table (.csv, .tsv, .parquet), or a folder of pictures by class"
            raise bad_data(f"{path} is no data that can be learned from", f"give {kinds}")
        known = did_you_mean(path, BUNDLED) or f"bundled are {', '.join(BUNDLED)}"
        raise bad_data(f"`{path}` is no file or folder, nor a bundled set", known)
    if reading.columns or reading.label is not None:
        raise bad_data(f"{path} has no columns: its arrays are `x` and `y`")
    arrays = load_arrays([path])
    if not isinstance(arrays, Mapping):
        raise bad_data(f"{path} holds one array without a name", "write it with `np.savez`")
    return _parted(path, arrays)


def _single(path: str, wanted: Mapping[str, Sizes] | None) -> Sizes | None:
    """The sizes of the only input, which is what tables and pictures feed."""
    if wanted is None:
        return None
    if len(wanted) > 1:
        inputs = ", ".join(f"`{name}`" for name in wanted)
        cure = "give a .npz file with an array for each"
        raise bad_data(f"the network takes {inputs}, and {path} feeds one input", cure)
    return next(iter(wanted.values()))


_PARTS = {
    "train": ("train",),
    "val": ("val", "valid", "validation"),
    "test": ("test",),
}
"""What the parts are called in a folder."""


def _folder(path: str, sizes: Sizes | None, reading: Reading) -> Data:
    """Tables or folders by part, or else a folder for each class."""
    names = sorted(name for name in os.listdir(path) if is_table(name))
    tables = {Path(name).stem: os.path.join(path, name) for name in names}
    if "train" in tables:
        return _tables(path, _by_part(path, tables), sizes, reading)
    if reading.columns or reading.label is not None:
        cure = "tables in a folder are `train.csv`, `val.csv` and `test.csv`"
        raise bad_data(f"{path} has no table to learn from", cure)
    folders = class_folders(path)
    if not ("train" in folders and class_folders(folders["train"])):
        return _assembled(path, {"train": read_folder(path, sizes, reading)})
    parts = _by_part(path, folders)
    return _assembled(path, {p: read_folder(f, sizes, reading) for p, f in parts.items()})


def _by_part(path: str, found: Mapping[str, str]) -> dict[str, str]:
    parts = {}
    for part, names in _PARTS.items():
        there = [found[name] for name in names if name in found]
        if len(there) > 1:
            raise bad_data(
                f"{path} has {' and '.join(there)}: which of them is the validation part?"
            )
        if there:
            parts[part] = there[0]
    return parts


def _tables(path: str, files: Mapping[str, str], sizes: Sizes | None, reading: Reading) -> Data:
    tables = {part: open_table(file) for part, file in files.items()}
    columns = columns_of(tables["train"], reading)
    for part, table in tables.items():
        if part != "train" and table.names is not None and columns.label not in table.names:
            message = (
                f"{table.path} has no column `{columns.label}`: nothing tells what it should give"
            )
            raise bad_data(message, f"`--data {files['train']}` leaves it out")
    return _assembled(path, {p: read_columns(t, columns, sizes) for p, t in tables.items()})


def _assembled(name: str, parts: Mapping[str, Labelled]) -> Data:
    """Parts whose classes have the same numbers."""
    classes = classes_of(parts["train"].y) if parts["train"].named else ()
    made = {}
    for part, found in parts.items():
        if found.named and not classes:
            raise bad_data(f"the labels of {name} are numbers, but words in its part `{part}`")
        if classes and not found.named:
            raise bad_data(f"the labels of {name} are words, but numbers in its part `{part}`")
        y = numbered(found.y, classes, f"the part `{part}`") if classes else found.y
        made[part] = Part({"x": found.x}, y)
    return Data(name, made["train"], made.get("val"), made.get("test"), classes)


_SUFFIXES = ("", "_train", "_val", "_test")


def _parted(name: str, arrays: Mapping[str, Array]) -> Data:
    """The parts of a file, by the ends of the arrays' names."""
    parts: dict[str, dict[str, Array]] = {}
    for key, array in arrays.items():
        matched = re.fullmatch(r"(.+?)(_train|_val|_test)?", key)
        assert matched is not None
        parts.setdefault(matched[2] or "", {})[matched[1]] = array
    if "" in parts and "_train" in parts:
        both = [next(iter(parts[end])) + end for end in ("", "_train")]
        raise bad_data(f"{name} holds `{both[0]}` and `{both[1]}`: which of them is to learn from?")
    found = {end: _part(name, end, parts[end]) for end in _SUFFIXES if end in parts}
    train = found.get("", found.get("_train"))
    if train is None:
        wanted = "a file holds `x` and `y`, or `x_train` and `y_train`"
        raise bad_data(
            f"{name} holds nothing to learn from: {', '.join(arrays) or 'no array'}", wanted
        )
    return Data(name, train, found.get("_val"), found.get("_test"))


def _part(name: str, end: str, arrays: dict[str, Array]) -> Part:
    targets = arrays.pop("y", None)
    if targets is None or not arrays:
        lacking = "y" if targets is None else "x"
        held = ", ".join(
            f"`{key}{end}`" for key in ({**arrays, "y": 0} if arrays == {} else arrays)
        )
        raise bad_data(f"{name} holds {held}, but no `{lacking}{end}`")
    for key, array in {**arrays, "y": targets}.items():
        if not array.ndim:
            raise bad_data(
                f"`{key}{end}` in {name} is a single number: the first axis counts examples"
            )
        if len(array) != len(targets):
            counts = f"`{key}{end}` has {len(array)} examples and `y{end}` {len(targets)}"
            raise bad_data(f"{name}: {counts}")
    return Part(arrays, targets)


def held_out(name: str) -> tuple[Array, Array, Array, Array]:
    """A bundled set in four: inputs and targets to learn from, inputs and targets to judge by.

    A quarter is held out, always the same; of labels, as large a part of each. Pixels are divided by 16,
    other features standardised by what is learned from.
    """
    datasets: Any = need("sklearn.datasets", "train")

    bunch = getattr(datasets, f"load_{name.replace('-', '_')}")()
    labels = bunch.target if name != "diabetes" else None
    x, test_x, y, test_y = need("sklearn.model_selection", "train").train_test_split(
        bunch.data, bunch.target, random_state=0, stratify=labels
    )
    if name == "digits":
        x, test_x = (part.reshape(-1, 1, 8, 8) / 16 for part in (x, test_x))
    else:
        mean, deviation = x.mean(0), x.std(0)
        x, test_x = ((part - mean) / deviation for part in (x, test_x))
    return x.astype(np.float32), y, test_x.astype(np.float32), test_y


def _bundled(name: str) -> Callable[[], Data]:
    def load() -> Data:
        x, y, test_x, test_y = held_out(name)
        return Data(name, Part({"x": x}, y), test=Part({"x": test_x}, test_y))

    return load


BUNDLED = {name: _bundled(name) for name in ("digits", "breast-cancer", "wine", "iris", "diabetes")}
"""scikit-learn's: 1,797 digits of 1 x 8 x 8 in ten classes; 569 tumours of 30 features in two; 178 wines of 13 and
150 irises of 4 in three; 442 patients of 10 features, whose disease progresses by a number from 25 to 346."""
