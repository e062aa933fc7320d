"""PyTorch's own files: state dicts are read and written, programs written. Unpickles tensors and containers alone."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from netspec.backend import need
from netspec.backends.torch.live import build_module
from netspec.checkpoints.tensors import Checkpoint, Tensor, bad_file, unsafe_file
from netspec.diagnostics import Diagnostic, SpecError
from netspec.feeds import draw
from netspec.files import replacing
from netspec.ir import Graph
from netspec.sizes import bind, propose
from netspec.weights import Array, Weights, np

if TYPE_CHECKING:
    from torch import nn

torch = need("torch", "torch")

_DEEP = 3
"""How many mappings may stand around a state dict."""

_EXPORTED = 3
"""The batch that a program is traced with: 0 and 1 would be taken for constants."""


def write(graph: Graph, weights: Weights, path: str, suffix: str) -> None:
    """A state dict (`.pt`, `.pth`), or the network itself: an exported program (`.pt2`) or TorchScript (`.ts`)."""
    module = build_module(graph, weights)
    with replacing(path, suffix) as written, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.*", category=DeprecationWarning)
        if suffix == ".pt2":
            torch.export.save(_exported(module, graph), written)
        elif suffix == ".ts":
            torch.jit.script(module).save(written)
        else:
            torch.save(module.state_dict(), written)


def _exported(module: nn.Module, graph: Graph) -> Any:
    """The program for every batch, and for every size that the spec leaves open."""
    generator = np.random.default_rng(0)
    sizes = propose(graph, lambda low, high: int(generator.integers(low, high)))
    feeds = tuple(
        torch.from_numpy(draw(graph, node, _EXPORTED, generator))
        for node in bind(graph, sizes).inputs
    )
    dynamic = torch.export.Dim.DYNAMIC
    free = tuple(
        {
            0: dynamic,
            **{
                i: dynamic
                for i, size in enumerate(node.shape.sizes, 1)
                if not isinstance(size, int)
            },
        }
        for node in graph.inputs
    )
    return torch.export.export(module, feeds, dynamic_shapes=free)


def read(path: str, key: str | None) -> Checkpoint:
    """The tensors of a checkpoint: of the state dict that it is or holds, or of the one called `key`."""
    _check_archive(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        said = str(error).partition("\n")[0]
        cure = "save state_dict() alone, with torch.save, and move that"
        reason = "holds Python objects beside tensors, which would run code: nothing was read"
        if "GLOBAL" not in str(error) and "Unsupported" not in str(error):
            raise bad_file(path, f"is no PyTorch checkpoint: {said}", cure) from None
        raise unsafe_file(path, reason, cure) from None
    except Exception as error:  # whatever a broken pickle brings about
        said = str(error).partition("\n")[0] or type(error).__name__
        raise bad_file(path, f"is no PyTorch checkpoint: {said}") from None
    states = {"": {}} if content == {} else dict(_states(content, "", _DEEP))
    state = _chosen(states, key, path)
    tensors = (
        Tensor(name, _array(tensor, name, path))
        for name, tensor in state.items()
        if not name.endswith("num_batches_tracked")
    )
    return Checkpoint(path, "torch", "torch", tuple(tensors))


def _check_archive(path: str) -> None:
    """An archive as PyTorch writes it, not compressed: so it takes no more memory than the file has bytes."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise unsafe_file(path, "is compressed, which PyTorch's checkpoints are not")
    if any(entry.filename.endswith("constants.pkl") for entry in entries):
        cure = "save state_dict() alone, with torch.save, and move that"
        raise bad_file(path, "is a TorchScript program, not a checkpoint", cure)


def _states(content: Any, path: str, depth: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every state dict, mappings from names to nothing but tensors, and the keys that lead to it."""
    if not isinstance(content, Mapping) or not all(isinstance(name, str) for name in content):
        return  # an optimizer's state is numbered
    if content and all(isinstance(tensor, torch.Tensor) for tensor in content.values()):
        yield path, content
    elif depth:
        for name, inner in content.items():
            yield from _states(inner, f"{path}.{name}" if path else str(name), depth - 1)


def _chosen(
    states: Mapping[str, Mapping[str, Any]], key: str | None, path: str
) -> Mapping[str, Any]:
    listed = ", ".join(f"`{name}`" for name in states)
    if key is not None:
        if key not in states:
            message = f"{path} holds no state dict under `{key}`"
            known = f"it holds {listed}" if listed else None
            raise SpecError(Diagnostic("unknown-key", message, help=known))
        return states[key]
    if not states:
        raise bad_file(path, "holds no state dict: a mapping from names to tensors")
    if len(states) > 1:
        message = f"{path} holds several state dicts: {listed}"
        raise SpecError(Diagnostic("several-states", message, help="choose one with --key"))
    return next(iter(states.values()))


def _array(tensor: Any, name: str, path: str) -> Array:
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
        raise bad_file(
            path, f"holds `{name}` as a sparse, quantized or empty tensor, not as numbers"
        )
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise unsafe_file(path, f"says that `{name}` is larger than what it holds of it")
    tensor = tensor.detach()
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.float()
    try:
        array: Array = tensor.resolve_conj().resolve_neg().numpy()
    except TypeError as error:
        raise bad_file(path, f"holds `{name}` in a type that NumPy has not: {error}") from None
    return array
