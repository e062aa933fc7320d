"""Examples to learn from: arrays in files, and scikit-learn's bundled sets. Knows no network."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from netspec.arrays import load_arrays
from netspec.backend import need
from netspec.diagnostics import Diagnostic, SpecError, did_you_mean
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


class Data(NamedTuple):
    """What there is to learn from, and what is held out: to choose by (`val`), and to judge by (`test`)."""

    name: str
    train: Part
    val: Part | None = None
    test: Part | None = None


def load_data(name: str | Path) -> Data:
    """The arrays of a `.npz` file, or a bundled set by its name: `BUNDLED` has them.

    A file holds `x` and `y`, or `x_train` and `y_train`, and what is held out as `x_val` and `y_val`, `x_test` and
    `y_test`. A network of several inputs takes an array by the name of each in the place of `x`.
    Raises `SpecError`.
    """
    if str(name) in BUNDLED:
        return BUNDLED[str(name)]()
    if Path(name).suffix != ".npz":
        known = did_you_mean(str(name), BUNDLED) or f"bundled are {', '.join(BUNDLED)}"
        raise _bad(f"`{name}` is neither a .npz file nor a bundled set", known)
    arrays = load_arrays([str(name)])
    if not isinstance(arrays, Mapping):
        raise _bad(f"{name} holds one array without a name", "write it with `np.savez`")
    return _parted(str(name), arrays)


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
        raise _bad(f"{name} holds `{both[0]}` and `{both[1]}`: which of them is to learn from?")
    found = {end: _part(name, end, parts[end]) for end in _SUFFIXES if end in parts}
    train = found.get("", found.get("_train"))
    if train is None:
        wanted = "a file holds `x` and `y`, or `x_train` and `y_train`"
        raise _bad(f"{name} holds nothing to learn from: {', '.join(arrays) or 'no array'}", wanted)
    return Data(name, train, found.get("_val"), found.get("_test"))


def _part(name: str, end: str, arrays: dict[str, Array]) -> Part:
    targets = arrays.pop("y", None)
    if targets is None or not arrays:
        lacking = "y" if targets is None else "x"
        held = ", ".join(
            f"`{key}{end}`" for key in ({**arrays, "y": 0} if arrays == {} else arrays)
        )
        raise _bad(f"{name} holds {held}, but no `{lacking}{end}`")
    for key, array in {**arrays, "y": targets}.items():
        if not array.ndim:
            raise _bad(f"`{key}{end}` in {name} is a single number: the first axis counts examples")
        if len(array) != len(targets):
            counts = f"`{key}{end}` has {len(array)} examples and `y{end}` {len(targets)}"
            raise _bad(f"{name}: {counts}")
    return Part(arrays, targets)


def _bad(message: str, help: str | None = None) -> SpecError:  # noqa: A002
    return SpecError(Diagnostic("bad-data", message, help=help))


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
