"""What Keras's files hold: `.weights.h5` and `.keras` are read as HDF5 and JSON, and nothing in them is revived."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from netspec.backend import need
from netspec.checkpoints.tensors import Checkpoint, Tensor, bad_file, natural, unsafe_file
from netspec.weights import Array

h5py = need("h5py", "keras")

_MEMBER = "model.weights.h5"
_LARGEST_CONFIG = 64 << 20
"""Bytes of `config.json` that are read, which holds no weights."""


class Dataset(NamedTuple):
    """An array of an HDF5 file: the layer that owns it, what the file calls that layer's class, and the way to it."""

    layer: str
    stem: str
    inner: str
    array: Array

    @property
    def name(self) -> str:
        """What it is called in reports and matched by."""
        return f"{self.layer}/{self.inner}"


def read(path: str) -> Checkpoint:
    """The variables of all layers, in their order where the file has the model, too.

    Those of optimizers, metrics and generators of random numbers are no weights and left out.
    """
    order: dict[str, int] | None = None
    if zipfile.is_zipfile(path):
        content, order = _unpacked(path)
        found, layers = listed(BytesIO(content), path)
    else:
        found, layers = listed(path, path)
    if order is not None:
        known = order
        found.sort(key=lambda each: (known.get(each.layer, len(known)), natural(each.inner)))
        tensors = [Tensor(each.name, each.array) for each in found]
    else:
        found.sort(key=lambda each: (natural(each.stem), natural(each.inner)))
        tensors = [Tensor(each.name, each.array, _kind(each.stem)) for each in found]
    return Checkpoint(path, "keras", "keras", tuple(tensors), layers=layers)


def _unpacked(path: str) -> tuple[bytes, dict[str, int]]:
    """The weights of a `.keras` archive, and the layers of its model in order. Its config is read as JSON only."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = {entry.filename: entry for entry in archive.infolist()}
            if _MEMBER not in members or "config.json" not in members:
                raise bad_file(path, f"is no Keras model: it lacks {_MEMBER} or config.json")
            size = Path(path).stat().st_size
            if members[_MEMBER].file_size > size or members["config.json"].file_size > min(
                _LARGEST_CONFIG, 1000 * size
            ):
                raise unsafe_file(path, "unpacks to more bytes than it has")
            config = json.loads(archive.read("config.json"))
            names = dict.fromkeys(_layers(config))
            return archive.read(_MEMBER), {name: number for number, name in enumerate(names)}
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, RecursionError) as error:
        raise bad_file(path, f"is a broken Keras archive: {error}") from None


def _layers(config: Any) -> Iterator[str]:
    """The names of a model's layers, those of models within it in their place."""
    own = config.get("config") if isinstance(config, Mapping) else None
    if not isinstance(own, Mapping):
        return
    if isinstance(own.get("name"), str):
        yield own["name"]
    for layer in own.get("layers", ()) if isinstance(own.get("layers", ()), list) else ():
        yield from _layers(layer)


def listed(file: str | BytesIO, path: str) -> tuple[list[Dataset], frozenset[str]]:
    """The floats of an HDF5 file, and the names of its layers, those without any too. Links are not followed."""
    found: list[Dataset] = []
    names: set[str] = set()
    try:
        with h5py.File(file, "r") as root:
            bound = root.id.get_filesize()
            for place, dataset in _walk(root, "", path, names):
                *way, last = place.split("/")
                if "vars" not in way or way[0] in ("optimizer", "_optimizer"):
                    continue
                if dataset.dtype.kind != "f":
                    continue
                bound -= dataset.size * dataset.dtype.itemsize
                if bound < 0 or dataset.external or dataset.is_virtual:
                    raise unsafe_file(path, f"says that `{place}` is larger than what it holds")
                found.append(_owned(root, way, last, dataset[()]))
            if not {"layers", "vars"} & set(root):
                raise bad_file(path, "holds no variables of layers, as Keras 3 keeps them")
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise bad_file(path, f"is no HDF5 file as Keras writes it: {error}") from None
    return found, frozenset(names)


def _walk(group: Any, prefix: str, path: str, names: set[str]) -> Iterator[tuple[str, Any]]:
    """Every dataset and the way to it; `names` takes what groups say that they are called."""
    names.add(str(group.attrs.get("name")))
    for name in group:
        place = f"{prefix}/{name}" if prefix else name
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise unsafe_file(path, f"links to another place or file (`{place}`)")
        inner = group[name]
        if isinstance(inner, h5py.Group):
            if place.count("/") > 100:
                raise unsafe_file(path, "holds groups within groups without end")
            yield from _walk(inner, place, path, names)
        elif inner.shape is not None:
            yield place, inner


def _owned(root: Any, way: Sequence[str], last: str, array: Array) -> Dataset:
    """Below the last `layers` stands the layer; elsewhere, in a class of the user's own, at the first step."""
    last_layers = max((i for i, word in enumerate(way[:-1]) if word == "layers"), default=-1)
    owner = min(last_layers + 2, len(way) - 1)
    stem = "/".join(way[:owner])
    variables = root.get(f"{stem}/vars")
    name = None if variables is None else variables.attrs.get("name")
    inner = "/".join([word for word in way[owner:] if word != "vars"] + [last])
    return Dataset(str(name or way[owner - 1]), stem, inner, array)


def _kind(stem: str) -> str:
    """What a file calls layers of a class, without its count of them."""
    return "/".join(re.sub(r"_\d+$", "", word) for word in stem.split("/") if word != "layers")
