"""The canonical weight file: safetensors, spec paths as names, PyTorch layouts. Draws weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from zlib import crc32

from netspec.backend import need
from netspec.diagnostics import Diagnostic, SpecError
from netspec.files import write_atomically
from netspec.ir import Graph
from netspec.ops import Weight

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = need("numpy", "weights")

__all__ = [
    "Array",
    "Weights",
    "check_weights",
    "dump_tensors",
    "dump_weights",
    "init_weights",
    "load_weights",
    "np",
    "origin_of",
    "random_weights",
    "save_weights",
]

Array: TypeAlias = "NDArray[Any]"
Weights: TypeAlias = Mapping[str, Array]


def _stream(seed: int, name: str) -> np.random.Generator:
    """A stream of its own for each tensor: adding a layer leaves the others' values alone."""
    return np.random.Generator(
        np.random.PCG64(np.random.SeedSequence([seed, crc32(name.encode())]))
    )


def _draw(name: str, weight: Weight, seed: int) -> Array:
    shape, init = weight.shape, weight.init.settled(weight.shape)
    stream = _stream(seed, name)
    match init.rule:
        case "constant":
            return np.full(shape, init.value, np.float32)
        case "uniform":
            return (stream.random(shape, np.float32) * 2 - 1) * np.float32(init.value)
        case "orthogonal":
            values = _orthogonal(stream, shape)
        case _:
            values = stream.standard_normal(shape)
            while init.rule == "trunc_normal" and (outside := np.abs(values) > 2).any():
                values[outside] = stream.standard_normal(int(outside.sum()))
    return (values * init.value).astype(np.float32)


def _orthogonal(stream: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """The rows, or else the columns, of `(shape[0], the rest)` are an orthonormal set (Saxe et al., 2014)."""
    square = stream.standard_normal((shape[0], int(np.prod(shape[1:]))))
    tall = square if len(square) >= square.shape[1] else square.T
    q, r = np.linalg.qr(tall)
    q *= np.sign(np.diag(r))
    rows: Array = q if tall is square else q.T
    return rows.reshape(shape)


def init_weights(graph: Graph, seed: int = 0) -> dict[str, Array]:
    """Fresh float32 weights by the ops' own initializers: the same on every machine and target."""
    return {name: _draw(name, weight, seed) for name, weight in graph.weights()}


def random_weights(graph: Graph, seed: int = 0) -> dict[str, Array]:
    """As a trained network has them, float32: statistics, scales and shifts away from 0 and 1.

    Some scales are negative. `verify` uses them: fresh batch norms would hide a wrong epsilon, or a
    mean that was swapped with a variance.
    """
    weights = init_weights(graph, seed)
    for name, weight in graph.weights():
        if weight.init.rule != "constant":
            if not weight.chosen:  # keep the signal's scale through ReLU layers
                weights[name] *= np.float32(6**0.5)
            continue
        stream = _stream(seed, name)
        if name.endswith("running_var"):
            values = stream.uniform(0.5, 1.5, weight.shape)
        elif weight.init.value == 1:
            signs = stream.choice([1, 1, 1, -1], weight.shape)
            values = stream.uniform(0.7, 1.3, weight.shape) * signs
        else:
            values = stream.normal(0, 0.2, weight.shape)
        weights[name] = values.astype(np.float32)
    return weights


def check_weights(graph: Graph, weights: Weights, origin: str = "the weights") -> None:
    """Raise one `SpecError` that lists every missing, extra, misshapen and non-float tensor."""
    wanted = {name: weight.shape for name, weight in graph.weights()}
    mistakes = [
        Diagnostic("missing-weight", f"{origin} lack `{name}` ({_dims(shape)})")
        for name, shape in wanted.items()
        if name not in weights
    ]
    for name, array in weights.items():
        if name not in wanted:
            message = f"{origin} hold `{name}`, which the network does not have"
            mistakes.append(Diagnostic("extra-weight", message))
        elif not isinstance(array, np.ndarray | np.generic):
            message = f"`{name}` is a {type(array).__name__} in {origin}, not an array of NumPy's"
            mistakes.append(Diagnostic("non-float-weight", message))
        elif tuple(array.shape) != wanted[name]:
            message = f"`{name}` is {_dims(array.shape)} in {origin}, not {_dims(wanted[name])}"
            mistakes.append(Diagnostic("misshapen-weight", message))
        elif array.dtype.kind != "f":
            message = f"`{name}` holds {array.dtype} in {origin}, not floats"
            mistakes.append(Diagnostic("non-float-weight", message))
    if mistakes:
        raise SpecError(*mistakes)


def _dims(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a single number"


_DTYPES = {
    **{f"{word}{size}": f"<{word.lower()}{size // 8}" for word in "FIU" for size in (16, 32, 64)},
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
    "BF16": "<u2",
}
"""safetensors' words for what NumPy can hold; bfloat16 goes through its bits."""


def load_weights(path: Path | str) -> dict[str, Array]:
    """The tensors of a safetensors file, by name; bfloat16 as float32. Raises `SpecError` where it cannot be read."""
    safetensors = need("safetensors", "weights")
    try:
        stored = safetensors.deserialize(Path(path).read_bytes())
        return {name: _array_of(name, tensor) for name, tensor in stored}
    except OSError as error:
        reason = f"cannot read {path}: {error.strerror}"
        raise SpecError(Diagnostic("unreadable-file", reason)) from None
    except (safetensors.SafetensorError, ValueError) as error:
        reason = f"{path} is not a safetensors file: {error}"
        raise SpecError(Diagnostic("bad-weight-file", reason)) from None


def _array_of(name: str, tensor: Mapping[str, Any]) -> Array:
    kind = tensor["dtype"]
    if kind not in _DTYPES:
        raise ValueError(f"`{name}` holds {kind}, for which NumPy has no type")
    array: Array = np.frombuffer(tensor["data"], _DTYPES[kind])
    if kind == "BF16":
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array.reshape(tensor["shape"])


def origin_of(path: Path | str) -> dict[str, str]:
    """The name and the fingerprint of the spec that a canonical file was written for; nothing in other safetensors."""
    safetensors = need("safetensors", "weights")
    with safetensors.safe_open(str(path), "np") as file:
        said = (file.metadata() or {}).get("netspec", "{}")
    try:
        about = json.loads(said)
    except (ValueError, RecursionError):
        return {}
    known = about if isinstance(about, dict) else {}
    return {word: str(known[word]) for word in ("name", "fingerprint") if word in known}


def dump_weights(weights: Weights, graph: Graph) -> bytes:
    """A safetensors file of the graph's tensors, with the spec's name and fingerprint as metadata.

    The same weights give the same bytes; those that the graph does not have are left out. Raises `SpecError` where
    one that it has is not there, or has another shape.
    """
    own = {name: weights[name] for name, _ in graph.weights() if name in weights}
    check_weights(graph, own)
    return dump_tensors(own, {"name": graph.name, "fingerprint": graph.fingerprint})


def dump_tensors(weights: Weights, origin: Mapping[str, str]) -> bytes:
    """A safetensors file of any tensors, with what `origin_of` will say of them."""
    safetensors = need("safetensors.numpy", "weights")
    arrays = {name: np.ascontiguousarray(array) for name, array in weights.items()}
    # One entry: safetensors writes several in an order that changes from call to call.
    metadata = {"netspec": json.dumps(dict(origin))} if origin else None
    content: bytes = safetensors.save(arrays, metadata)
    return content


def save_weights(path: Path | str, weights: Weights, graph: Graph) -> None:
    """Write a graph's weights as safetensors; a file that was there is replaced in one step.

    Weights that the graph does not have are left out. Raises `SpecError` where one is missing or has another
    shape, and where the file cannot be written.
    """
    write_atomically(path, dump_weights(weights, graph))
