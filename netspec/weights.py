"""The canonical weight file: safetensors, names are spec paths, layouts are PyTorch's. Initial values come from here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias
from zlib import crc32

from netspec.backend import need
from netspec.diagnostics import Diagnostic, SpecError
from netspec.ir import Graph
from netspec.ops import Weight

np = need("numpy", "weights")

Array: TypeAlias = "np.ndarray"
Weights: TypeAlias = Mapping[str, Array]


def _stream(seed: int, name: str) -> np.random.Generator:
    """A stream of its own for each tensor, so that adding a layer leaves the others' values alone."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, crc32(name.encode())])))


def _draw(name: str, weight: Weight, seed: int) -> Array:
    if weight.init.distribution == "constant":
        return np.full(weight.shape, weight.init.scale, np.float32)
    unit = _stream(seed, name).random(weight.shape, np.float32)
    return (unit * 2 - 1) * np.float32(weight.init.scale)


def init_weights(graph: Graph, seed: int = 0) -> dict[str, Array]:
    """Fresh weights by the ops' own initializers, float32: the same on every machine and for every target."""
    return {name: _draw(name, weight, seed) for name, weight in graph.weights()}


def random_weights(graph: Graph, seed: int = 0) -> dict[str, Array]:
    """As a trained network has them: statistics, scales and shifts away from 0 and 1, some scales negative.

    `verify` uses them, since fresh batch norms would hide a wrong epsilon, a swapped mean or variance.
    """
    weights = init_weights(graph, seed)
    for name, weight in graph.weights():
        if weight.init.distribution != "constant":
            weights[name] *= np.float32(6**0.5)  # keep the signal's scale through ReLU layers
            continue
        stream = _stream(seed, name)
        if name.endswith("running_var"):
            values = stream.uniform(0.5, 1.5, weight.shape)
        elif weight.init.scale == 1:
            values = stream.uniform(0.7, 1.3, weight.shape) * stream.choice([1, 1, 1, -1], weight.shape)
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
            mistakes.append(Diagnostic("extra-weight", f"{origin} hold `{name}`, which the network does not have"))
        elif tuple(array.shape) != wanted[name]:
            message = f"`{name}` is {_dims(array.shape)} in {origin}, but the network needs {_dims(wanted[name])}"
            mistakes.append(Diagnostic("misshapen-weight", message))
        elif array.dtype.kind != "f":
            mistakes.append(Diagnostic("non-float-weight", f"`{name}` holds {array.dtype}, not floats"))
    if mistakes:
        raise SpecError(*mistakes)


def _dims(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def load_weights(path: Path | str) -> dict[str, Array]:
    """The tensors of a safetensors file, by name. Raises `SpecError` where the file cannot be read."""
    safetensors = need("safetensors.numpy", "weights")
    from safetensors import SafetensorError

    try:
        loaded: dict[str, Array] = safetensors.load(Path(path).read_bytes())
    except OSError as error:
        raise SpecError(Diagnostic("unreadable-file", f"cannot read {path}: {error.strerror}")) from None
    except (SafetensorError, KeyError, ValueError) as error:
        raise SpecError(Diagnostic("bad-weight-file", f"{path} is not a safetensors file: {error}")) from None
    return loaded


def dump_weights(weights: Weights, graph: Graph) -> bytes:
    """A safetensors file with these tensors, and the spec's name and fingerprint in its metadata."""
    safetensors = need("safetensors.numpy", "weights")
    ordered = {name: np.ascontiguousarray(weights[name]) for name, _ in graph.weights()}
    content: bytes = safetensors.save(ordered, {"netspec.name": graph.name, "netspec.fingerprint": graph.fingerprint})
    return content
