"""ONNX files: a model too large for one has its weights beside it; initializers are read by their use."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any

from netspec.backend import need
from netspec.backends.onnx import graph as models
from netspec.backends.onnx.graph import SMALL, External, assemble, serialize, size_of
from netspec.checkpoints.tensors import Checkpoint, Tensor, bad_file, unsafe_file
from netspec.diagnostics import SpecError
from netspec.files import replacing, write_atomically
from netspec.ir import Graph
from netspec.weights import Array, Weights, np

onnx = need("onnx", "onnx")

from google.protobuf.message import DecodeError  # noqa: E402 (the message of `need` comes first)
from onnx.external_data_helper import ExternalDataInfo  # noqa: E402
from onnx.numpy_helper import to_array  # noqa: E402

ALIGNMENT = 4096
"""Where each weight begins in a file of weights: on a page, so that it can be mapped into memory."""

_GATES = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
"""PyTorch's gates in ONNX's order: the inverse of the row of recurrent layers."""


# ---- writing ----


def write(graph: Graph, weights: Weights, path: str, opset: int) -> list[str]:
    """One file, or where the weights are too many for it a second one beside it, `path.HASH.data`.

    The second file is named by its content and stands there before the first refers to it, so a reader sees the old
    model with its weights or the new one with its own. The old one's file is removed after that.
    """
    if size_of(weights) <= models.LARGEST:
        before = _own_data(path)
        write_atomically(path, serialize(assemble(graph, weights, opset=opset)))
        _remove(before)
        return [path]
    goal = Path(os.path.realpath(path))
    before, places = _own_data(path), _places(weights)
    location = f"{goal.name}.{_digest(weights)}.data"
    # Whatever is wrong with the graph is said before gigabytes are written.
    content = serialize(assemble(graph, weights, opset=opset, external=External(location, places)))
    beside = goal.with_name(location)
    with replacing(beside) as written, open(written, "wb") as file:
        for name, (offset, _) in places.items():
            file.seek(offset)
            _packed(weights[name]).tofile(file)
    try:
        write_atomically(path, content)
    except SpecError:
        if beside not in before:
            beside.unlink()
        raise
    _remove(before - {beside})
    return [path, str(Path(path).with_name(location))]


def _packed(array: Array) -> Array:
    return np.ascontiguousarray(array, "<f4")


def _places(weights: Weights) -> dict[str, tuple[int, int]]:
    """Where each weight stands that shape inference does without."""
    found: dict[str, tuple[int, int]] = {}
    end = 0
    for name, array in weights.items():
        if (length := 4 * array.size) > SMALL:
            offset = -(-end // ALIGNMENT) * ALIGNMENT
            found[name] = (offset, length)
            end = offset + length
    return found


def _digest(weights: Weights) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for array in weights.values():
        digest.update(_packed(array).data)
    return digest.hexdigest()


def _own_data(path: str) -> set[Path]:
    """The files beside a model that hold its weights and bear its name: those that `write` made for it."""
    goal = Path(os.path.realpath(path))
    if not goal.is_file():
        return set()
    pattern = re.compile(re.escape(goal.name) + r"\.[0-9a-f]{16}\.data")
    try:
        model = onnx.load(goal, load_external_data=False)
    except (OSError, DecodeError):
        return set()
    names = {
        ExternalDataInfo(each).location for each in model.graph.initializer if _is_outside(each)
    }
    return {goal.with_name(name) for name in names if pattern.fullmatch(name)}


def _remove(files: set[Path]) -> None:
    for file in files:
        with suppress(OSError):
            file.unlink()


# ---- reading ----


def read(path: str) -> Checkpoint:
    """The float initializers of a model in the order in which its nodes use them, in PyTorch's layouts.

    What a MatMul or a Gemm holds the other way round is transposed, and what an LSTM, a GRU or an RNN holds is taken
    apart. Our own files have the weights as they are, under their names.
    """
    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError as error:
        raise bad_file(path, f"is no ONNX model: {error}") from None
    if not model.graph.node:
        raise bad_file(path, "is no ONNX model: it has no nodes")
    stored = {each.name: each for each in model.graph.initializer if each.data_type in _floats()}
    if model.producer_name == "netspec":
        own = (Tensor(n, _array(each, path)) for n, each in stored.items() if "/" not in n)
        about = {each.key.removeprefix("netspec."): each.value for each in model.metadata_props}
        return Checkpoint(path, "onnx", "onnx", tuple(own), about=about)
    tensors: list[Tensor] = []
    seen: set[str] = set()
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            if name in stored and name not in seen and stored[name].dims:
                seen.add(name)
                try:
                    tensors.extend(_used(node, place, name, _array(stored[name], path)))
                except (ValueError, IndexError) as error:
                    reason = f"holds `{name}`, which has not the gates of {node.op_type}: {error}"
                    raise bad_file(path, reason) from None
    return Checkpoint(path, "onnx", "onnx", tuple(tensors))


def _used(node: Any, place: int, name: str, array: Array) -> Iterator[Tensor]:
    """What an initializer is where a node reads it at that place."""
    if node.op_type in _GATES:
        yield from _cell_weights(node.op_type, place, name, array)
    elif place == 1 and array.ndim == 2 and (node.op_type == "MatMul" or _holds_turned(node)):
        yield Tensor(name, array.T, note="transposed")
    else:
        yield Tensor(name, array)


def _holds_turned(node: Any) -> bool:
    """Whether a Gemm has its weight as `(in, out)`."""
    if node.op_type != "Gemm":
        return False
    return not any(each.name == "transB" and each.i for each in node.attribute)


def _cell_weights(kind: str, place: int, name: str, array: Array) -> Iterator[Tensor]:
    """The parts of a recurrent node's operand, with PyTorch's order of gates; its states are no weights."""
    parts = {1: ("weight_ih",), 2: ("weight_hh",), 3: ("bias_ih", "bias_hh")}.get(place, ())
    for direction, whole in enumerate(array if parts else ()):
        for part, rows in zip(parts, np.split(whole, len(parts)), strict=True):
            gates = np.split(rows, len(_GATES[kind]))
            moved = np.concatenate([gates[gate] for gate in _GATES[kind]])
            yield Tensor(f"{name}/{direction}/{part}", moved, note="gates in PyTorch's order")


def _floats() -> set[int]:
    kinds = onnx.TensorProto
    return {kinds.FLOAT, kinds.DOUBLE, kinds.FLOAT16, kinds.BFLOAT16}


def _is_outside(tensor: Any) -> bool:
    outside: bool = tensor.data_location == onnx.TensorProto.EXTERNAL
    return outside


def _array(tensor: Any, path: str) -> Array:
    try:
        array: Array = _outside(tensor, path) if _is_outside(tensor) else to_array(tensor)
    except (ValueError, TypeError, OSError) as error:
        raise bad_file(path, f"holds a broken tensor `{tensor.name}`: {error}") from None
    return array.astype(np.float32) if array.dtype.itemsize == 2 else array


def _outside(tensor: Any, path: str) -> Array:
    """A tensor from the file beside the model that has it: in its folder or below, and no link out of it."""
    info = ExternalDataInfo(tensor)
    folder = Path(os.path.realpath(path)).parent
    file = Path(os.path.realpath(folder / info.location))
    if not file.is_relative_to(folder) or not file.is_file():
        raise unsafe_file(
            path, f"keeps `{tensor.name}` in `{info.location}`, no file of its folder"
        )
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
    count, offset = prod(tensor.dims), int(info.offset or 0)
    if (
        min(tensor.dims, default=0) < 0
        or offset < 0
        or offset + count * dtype.itemsize > file.stat().st_size
    ):
        raise ValueError(f"{info.location} ends before it does")
    return np.fromfile(file, dtype, count, offset=offset).reshape(tuple(tensor.dims))
