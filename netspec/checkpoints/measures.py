"""What weights are like: statistics of a file, the difference of two, the mean of several. Knows no format."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from netspec.checkpoints.tensors import Checkpoint, columns, dims, widened
from netspec.diagnostics import Diagnostic, SpecError
from netspec.weights import Array, Weights, np

_STATISTICS = (".running_mean", ".running_var")


class Measure(NamedTuple):
    """A tensor in figures, taken in float64 over its finite numbers; None where there are none."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    mean: float | None
    std: float | None
    min: float | None
    max: float | None
    nonfinite: int

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return int(np.prod(self.shape, dtype=np.int64))


class Difference(NamedTuple):
    """How far a tensor is from another one of its name.

    `relative` is the largest difference over the largest number of the first; `reason` says why there is none to take.
    """

    name: str
    max_abs: float | None
    relative: float | None
    reason: str | None = None


def measure(name: str, array: Array) -> Measure:
    """The figures of one tensor."""
    numbers = array.astype(np.float64) if array.dtype.kind in "fiub" else np.empty(0)
    finite = numbers[np.isfinite(numbers)]
    mean = std = low = high = None
    if finite.size:
        mean, std = float(finite.mean()), float(finite.std())
        low, high = float(finite.min()), float(finite.max())
    shape, nonfinite = tuple(array.shape), numbers.size - finite.size
    return Measure(name, str(array.dtype), shape, mean, std, low, high, nonfinite)


def digest(weights: Weights) -> str:
    """SHA-256 over names, types, shapes and numbers, in the order of the names: the same for the same weights."""
    total = hashlib.sha256()
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name])
        total.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        total.update(array.data)
    return total.hexdigest()


def inspection(file: Checkpoint) -> dict[str, Any]:
    """All of a file in figures, as `--format json` prints it."""
    arrays = {each.name: each.array for each in file.tensors}
    rows = [measure(name, array) for name, array in arrays.items()]
    return {
        "file": file.path,
        "format": file.format,
        "spec": dict(file.about),
        "tensors": [row._asdict() for row in rows],
        "total": {
            "tensors": len(rows),
            "numbers": sum(row.size for row in rows),
            "bytes": sum(array.nbytes for array in arrays.values()),
            "nonfinite": sum(row.nonfinite for row in rows),
        },
        "sha256": digest(arrays),
    }


def inspection_table(found: Mapping[str, Any]) -> str:
    """The same for a reader."""
    rows = [
        [
            row["name"],
            dims(row["shape"]),
            row["dtype"],
            *(_figure(row[word]) for word in ("mean", "std", "min", "max")),
            str(row["nonfinite"] or ""),
        ]
        for row in found["tensors"]
    ]
    total = found["total"]
    lines = columns(["tensor", "shape", "dtype", "mean", "std", "min", "max", "non-finite"], rows)
    counted = f"{total['tensors']} tensors, {total['numbers']:,} numbers, {total['bytes']:,} bytes"
    if total["nonfinite"]:
        counted += f", {total['nonfinite']:,} of them not finite"
    lines += ["", f"{found['format']}: {counted}", f"sha256 {found['sha256']}"]
    if about := found["spec"]:
        lines.append(f"written for {about.get('name')} ({about.get('fingerprint')})")
    return "\n".join(lines)


def differences(first: Weights, second: Weights) -> Iterator[Difference]:
    """Every name of either side; numbers that are the same NaN or infinity on both sides do not differ."""
    unlike = dict(_unlike(first, second))
    for name in dict.fromkeys((*first, *second)):
        if name in unlike:
            yield Difference(name, None, None, unlike[name])
            continue
        a, b = first[name].astype(np.float64), second[name].astype(np.float64)
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        with np.errstate(invalid="ignore"):
            apart = np.where(same, 0.0, np.abs(a - b))
        if not np.isfinite(apart).all():
            yield Difference(name, None, None, "not finite on one side")
            continue
        largest = float(apart.max(initial=0.0))
        scale = float(np.abs(a[np.isfinite(a)]).max(initial=0.0))
        yield Difference(name, largest, largest / scale if scale else float(largest > 0))


def _unlike(first: Weights, second: Weights) -> Iterator[tuple[str, str]]:
    """The names that cannot be compared, and why."""
    for name in dict.fromkeys((*first, *second)):
        if name not in second or name not in first:
            yield name, f"only in the {'first' if name in first else 'second'}"
        elif (a := first[name]).shape != (b := second[name]).shape:
            yield name, f"{dims(a.shape)} against {dims(b.shape)}"


def differences_table(found: Sequence[Difference], tolerance: float) -> str:
    """Those beyond the tolerance, the largest first, and what all of them come to."""
    beyond = [each for each in found if differs(each, tolerance)]
    beyond.sort(key=lambda each: -1.0 if each.max_abs is None else -each.max_abs)
    beyond.sort(key=lambda each: each.max_abs is not None)
    rows = [
        [each.name, _figure(each.max_abs), _figure(each.relative), each.reason or ""]
        for each in beyond
    ]
    same = len(found) - len(beyond)
    lines = [*columns(["tensor", "max abs", "relative", ""], rows), ""] if rows else []
    kind = "are equal" if not tolerance else f"are equal within {tolerance:g}"
    return "\n".join([*lines, f"{same} of {len(found)} tensors {kind}"])


def differs(difference: Difference, tolerance: float) -> bool:
    """Whether two tensors are further apart than that, or cannot be compared."""
    return difference.max_abs is None or difference.max_abs > tolerance


def average(files: Sequence[Checkpoint]) -> dict[str, Array]:
    """The mean of each tensor over files of the same names and shapes, in float64 and then in the first one's type.

    Raises `SpecError` that lists what some of them lack, and what is not a float.
    """
    first = {each.name: widened(each.array) for each in files[0].tensors}
    sums = {name: array.astype(np.float64) for name, array in first.items()}
    mistakes: list[Diagnostic] = []
    for name, array in first.items():
        if array.dtype.kind != "f":
            message = f"`{name}` holds {array.dtype} in {files[0].path}, of which there is no mean"
            mistakes.append(Diagnostic("non-float-weight", message))
    for file in files[1:]:
        held = {each.name: each.array for each in file.tensors}
        for name, reason in _unlike(first, held):
            message = f"`{name}` is not alike in {files[0].path} and {file.path}: {reason}"
            mistakes.append(Diagnostic("unlike-files", message))
        for name in sums if not mistakes else ():
            sums[name] += held[name]
    if mistakes:
        raise SpecError(*mistakes)
    return {name: (sums[name] / len(files)).astype(array.dtype) for name, array in first.items()}


def statistics_among(weights: Weights) -> int:
    """How many of the tensors are running statistics."""
    return sum(name.endswith(_STATISTICS) for name in weights)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
