"""A model repository for NVIDIA's Triton Inference Server: configuration, labels and ONNX model of a network.

The configuration's fields are those of Triton's `model_config.proto`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from netspec.deploy.protobuf_text import Value, Word, to_text
from netspec.diagnostics import Diagnostic, SpecError
from netspec.files import write_atomically
from netspec.ir import Graph, Node
from netspec.shape import Shape
from netspec.sizes import bind, propose

_TYPES = {"float": Word("TYPE_FP32"), "int": Word("TYPE_INT64")}
_KINDS = {"auto": Word("KIND_AUTO"), "cpu": Word("KIND_CPU"), "gpu": Word("KIND_GPU")}


class Serving(NamedTuple):
    """How Triton serves a network.

    Requests are joined to batches of up to `max_batch` (0: they come as batches of their own), those that wait for
    `delay` microseconds to one of a preferred size where there are such. Each model has so many `instances` on its
    `device`. `warm_up` runs each preferred size and the largest once before the first request.
    """

    version: int = 1
    max_batch: int = 64
    preferred: tuple[int, ...] = ()
    delay: int = 100
    instances: int = 1
    device: Literal["auto", "cpu", "gpu"] = "auto"
    warm_up: bool = False


def write_repository(
    graph: Graph,
    model: bytes,
    folder: str | Path,
    serving: Serving | None = None,
    labels: Sequence[str] = (),
    name: str | None = None,
) -> Path:
    """Add a network and its ONNX model to the repository in a folder, under its own name or another one.

    Gives the model's folder. `labels` name the classes of the only result. What is served may be watched: the
    model comes first, and the configuration last, each in one step. Raises `SpecError` where the version is there
    already, or the labels do not fit.
    """
    serving = serving or Serving()
    home = Path(folder, name or graph.name)
    place = home / str(serving.version)
    content = config(graph, serving, labels, name)
    if place.exists():
        message = f"{home} holds version {serving.version} already"
        help_ = f"give another one: --version {serving.version + 1}"
        raise SpecError(Diagnostic("served-version", message, help=help_))
    home.mkdir(parents=True, exist_ok=True)
    if labels:
        write_atomically(home / "labels.txt", "".join(f"{each}\n" for each in labels).encode())
    # A folder whose name is no number is no version: what Triton sees is complete.
    hidden = home / f".{place.name}"
    hidden.mkdir(exist_ok=True)
    write_atomically(hidden / "model.onnx", model)
    hidden.rename(place)
    write_atomically(home / "config.pbtxt", content.encode())
    return home


def config(
    graph: Graph, serving: Serving, labels: Sequence[str] = (), name: str | None = None
) -> str:
    """The text of `config.pbtxt`. Raises `SpecError` for labels that do not fit, and sizes of batches that are none."""
    wrong = [each for each in serving.preferred if not 1 <= each <= serving.max_batch]
    if wrong:
        message = f"a preferred batch of {wrong[0]} is not one of 1 to {serving.max_batch}"
        raise SpecError(Diagnostic("bad-batch", message))
    _check_labels(graph, labels)
    shapes = {output.name: graph.by_name[output.node].shape for output in graph.outputs}
    told: dict[str, Value] = {
        "name": name or graph.name,
        "platform": "onnxruntime_onnx",
        "max_batch_size": serving.max_batch,
        "input": [_tensor(node.name, node.shape, serving) for node in graph.inputs],
        "output": [
            _tensor(each, shape, serving) | ({"label_filename": "labels.txt"} if labels else {})
            for each, shape in shapes.items()
        ],
        "instance_group": [{"count": serving.instances, "kind": _KINDS[serving.device]}],
    }
    if serving.max_batch:
        batching: dict[str, Value] = {"max_queue_delay_microseconds": serving.delay}
        if serving.preferred:
            batching = {"preferred_batch_size": sorted(serving.preferred), **batching}
        told["dynamic_batching"] = batching
    if serving.warm_up:
        told["model_warmup"] = _warm_ups(graph, serving)
    return f"# {graph.name}, written by netspec.\n{to_text(told)}"


def _check_labels(graph: Graph, labels: Sequence[str]) -> None:
    if not labels:
        return
    sizes = [graph.by_name[output.node].shape.sizes for output in graph.outputs]
    if sizes != [(len(labels),)]:
        said = ", ".join(" x ".join(map(str, each)) for each in sizes)
        message = f"there are {len(labels)} labels, and the results of `{graph.name}` are {said}"
        raise SpecError(Diagnostic("unfit-labels", message))


def _tensor(name: str, shape: Shape, serving: Serving) -> dict[str, Value]:
    """An input or output. Where Triton joins requests, it adds the batch in front of `dims` itself."""
    batch = [] if serving.max_batch else [-1]
    dims = [*batch, *(size if isinstance(size, int) else -1 for size in shape.sizes)]
    return {"name": name, "data_type": _TYPES[shape.dtype], "dims": dims}


def _warm_ups(graph: Graph, serving: Serving) -> list[Mapping[str, Value]]:
    """A run for each size of batch that requests are joined to; tokens are zeros, which every vocabulary has."""
    sized = bind(graph, propose(graph, lambda low, _: low))
    found: list[Mapping[str, Value]] = []
    joins = serving.max_batch > 0
    for batch in sorted({1, *serving.preferred, serving.max_batch or 1}):
        inputs = [_warm_input(node, None if joins else batch) for node in sized.inputs]
        words: dict[str, Value] = {"name": f"batch {batch}", "batch_size": batch if joins else 1}
        found.append({**words, "inputs": inputs})
    return found


def _warm_input(node: Node, batch: int | None) -> Mapping[str, Value]:
    """Numbers for one input, which has the batch among its axes where Triton does not add it."""
    data = "zero_data" if node.shape.dtype == "int" else "random_data"
    dims = [*([] if batch is None else [batch]), *node.shape.sizes]
    value: Mapping[str, Value] = {"data_type": _TYPES[node.shape.dtype], "dims": dims, data: True}
    return {"key": node.name, "value": value}
