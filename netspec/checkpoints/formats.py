"""Which format a file has, and its tensors; what a suffix asks for when writing. Runs nothing that a file holds."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from netspec.backend import Filing, load_backend, one_framework
from netspec.checkpoints.matching import Matched
from netspec.checkpoints.tensors import Checkpoint, Tensor, bad_file
from netspec.diagnostics import Diagnostic, SpecError
from netspec.ir import Graph
from netspec.weights import load_weights, origin_of

_HDF5 = b"\x89HDF\r\n\x1a\n"


def read_checkpoint(path: str | Path, key: str | None = None) -> Checkpoint:
    """The tensors of a file in any format, which its content tells.

    `key` chooses one of several state dicts in a PyTorch checkpoint. Raises `SpecError` for what is no weight
    file, is broken, or would do more than hold numbers.
    """
    path = str(path)
    form = _form(path)
    if key is not None and form != "torch":
        raise SpecError(
            Diagnostic("unknown-key", f"{path} is no PyTorch checkpoint, which has keys")
        )
    if form == "safetensors":
        return _safetensors(path)
    backend = load_backend(form)
    assert isinstance(backend, Filing)
    return backend.read_file(path, key)


def load_matched(
    path: str | Path,
    graph: Graph,
    *targets: str,
    key: str | None = None,
    **how: Any,
) -> Matched:
    """The weights of a network from a file in any format, and which of its tensors became which.

    See `read_checkpoint` and, for `how`, `matching.match`. A file of Keras's takes `flatten`, too: the order in which
    its model flattens maps, where netspec did not emit it. `targets` are what the process needs besides.
    """
    path = str(path)
    one_framework(_form(path), *targets)
    file = read_checkpoint(path, key)
    backend = load_backend(file.target)
    assert isinstance(backend, Filing)
    if file.target != "keras" and how.pop("flatten", None) is not None:
        message = f"{path} is no file of Keras's, which alone may flatten with the channels last"
        raise SpecError(Diagnostic("unknown-order", message))
    return backend.match_file(file, graph, **how)


def _form(path: str) -> str:
    """The format by the first bytes and, in an archive, by the names in it."""
    try:
        with open(path, "rb") as file:
            head = file.read(16)
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        raise SpecError(Diagnostic("unreadable-file", message)) from None
    if head.startswith(_HDF5):
        return "keras"
    if head.startswith(b"PK"):
        return _archive(path)
    if Path(path).suffix == ".onnx":
        return "onnx"
    if head[:1] == b"\x80" or Path(path).suffix in (".pt", ".pth", ".bin", ".ckpt"):
        return "torch"
    return "safetensors"


def _archive(path: str) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise bad_file(path, f"is a broken archive: {error}") from None
    if any(name == "model.weights.h5" or name == "config.json" for name in names):
        return "keras"
    if any(name.endswith("data.pkl") for name in names):
        return "torch"
    cure = "save the module's state_dict() with torch.save"
    raise bad_file(path, "is an archive of neither PyTorch's weights nor Keras's", cure)


def _safetensors(path: str) -> Checkpoint:
    """Its order is that of the names: the network's is not kept."""
    tensors = tuple(Tensor(name, array) for name, array in load_weights(path).items())
    return Checkpoint(path, "safetensors", "torch", tensors, ordered=False, about=origin_of(path))
