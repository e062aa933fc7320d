"""The pipeline on one screen: text -> tree -> graph -> passes -> target. Every front door (CLI, Python) leads here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from netspec.backend import Trainable, load_backend
from netspec.diagnostics import Diagnostic, SpecError
from netspec.files import read_text
from netspec.ir import Graph
from netspec.language import tree
from netspec.language.expand import expand
from netspec.language.syntax import parse_what_can_be
from netspec.limits import DEFAULT, Limits, Memory, exceeded
from netspec.source import Source

if TYPE_CHECKING:
    from netspec.passes import Note
    from netspec.weights import Array, Weights


class Artifact(NamedTuple):
    """What compiling gives: the target's file, the graph it realises, and the weights that fit it, if any.

    And what the passes did, a `netspec.passes.Note` for each node that they changed or left.
    """

    content: bytes
    suffix: str
    graph: Graph
    weights: Mapping[str, Array] | None
    notes: tuple[Note, ...] = ()

    @property
    def text(self) -> str:
        """The content of a source target."""
        return self.content.decode()


def parse(
    text: str,
    *,
    name: str = "<string>",
    folder: str | Path | None = None,
    net: str | None = None,
    overrides: Mapping[str, object] | None = None,
    input_shape: Sequence[int | str] | None = None,
    limits: Limits = DEFAULT,
) -> Graph:
    """The shaped graph of a spec.

    `net` chooses one of several nets. `overrides` set its parameters: numbers, booleans, strings (names of ops,
    or `?T` for a size known only at run time), None, and lists of them. `input_shape`, channels first and without
    the batch, replaces the sizes of the net's one input, or gives one to a net that has none. `folder` is where it
    may `use` files; without one it may not. `name` is the text's in messages, and its stem a headerless net's.
    Raises `SpecError` with all independent mistakes.
    """
    file, read = parse_what_can_be(Source(name, text), limits), None
    if folder is not None and _uses_files(file):
        from netspec.folder import Folder

        read = Folder(folder, limits).read
    return expand(
        file, net=net, overrides=overrides, input_shape=input_shape, read=read, limits=limits
    )


def load(
    path: str | Path,
    *,
    net: str | None = None,
    overrides: Mapping[str, object] | None = None,
    input_shape: Sequence[int | str] | None = None,
    limits: Limits = DEFAULT,
) -> Graph:
    """The shaped graph of a `.net` file, or of a graph saved as JSON.

    A spec takes what `parse` takes, and may `use` files in its own folder or below it. A saved graph is as it is
    and takes none of it. Raises `SpecError`.
    """
    text = read_text(path, limits)
    if Path(path).suffix == ".json":
        if net is not None or overrides or input_shape is not None:
            message = f"{path} is a graph, which has neither nets nor parameters nor an open input"
            help_ = "change the spec that it was made of"
            raise SpecError(Diagnostic("bad-override", message, help=help_))
        return load_json(text, str(path), limits)
    file, read = parse_what_can_be(Source(str(path), text), limits), None
    if _uses_files(file):
        from netspec.folder import Folder

        read = Folder.around(path, file.source, limits).read
    return expand(
        file, net=net, overrides=overrides, input_shape=input_shape, read=read, limits=limits
    )


def _uses_files(file: tree.File) -> bool:
    """Whether there is anything to read: most specs stand alone, and a folder takes time to import."""
    return any(isinstance(item, tree.Use) for item in file.items)


def load_json(text: str, name: str = "<string>", limits: Limits = DEFAULT) -> Graph:
    """A graph from its JSON form, proved to be legal and within the limits. Raises `SpecError`."""
    from pydantic import ValidationError

    from netspec.passes.validate import InvalidGraph, validate

    try:
        graph = Graph.from_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the top"
        message = f"{name} is not a netspec graph: at {place}: {first['msg'].lower()}"
        raise SpecError(Diagnostic("bad-graph", message)) from None
    try:
        validate(graph)
    except InvalidGraph as error:
        faults = (Diagnostic("bad-graph", f"{name}: {fault}") for fault in error.faults)
        raise SpecError(*faults) from None
    memory = Memory(limits)
    for node in graph.nodes:
        weights = sum(prod(weight.shape) for _, weight in graph.weights_of(node))
        if (beyond := memory.add(node.shape.elements, weights)) is not None:
            message, limit = beyond
            raise SpecError(exceeded(limit, limits, f"{name}: {message}", None))
    return graph


def compile(  # noqa: A001 (the public name: netspec.compile)
    graph: Graph,
    *,
    target: str,
    weights: Weights | None = None,
    seed: int | None = None,
    passes: Sequence[str] = (),
    **options: Any,
) -> Artifact:
    """The graph as a file for `torch`, `keras`, `onnx` or `ir`.

    Weights are those given, or drawn from `seed`, 0 or more; ONNX, which must hold some, draws them from seed 0
    if neither is given. `passes` (`netspec.passes`) rewrite graph and weights for inference.
    Further `options` are the backend's own (`opset` for ONNX). Raises `SpecError`.
    """
    if seed is None and target == "onnx":
        seed = 0
    graph, chosen, notes = prepare(graph, weights, seed, passes)
    if target == "ir":
        if options:
            raise TypeError(f"the target `ir` takes no option `{next(iter(options))}`")
        return Artifact(f"{graph.to_json()}\n".encode(), ".json", graph, chosen, notes)
    backend = load_backend(target, "ir")
    backend.ROWS.check(graph)
    content = backend.emit(graph, chosen, **options)
    return Artifact(content, backend.SUFFIX, graph, chosen, notes)


def build(
    graph: Graph,
    *,
    target: str,
    weights: Weights | None = None,
    seed: int = 0,
    passes: Sequence[str] = (),
) -> Any:
    """A live `nn.Module`, `keras.Model` or `InferenceSession` in inference mode.

    Weights are those given, or drawn from `seed`; `passes` rewrite both. Raises `SpecError`.
    """
    graph, chosen, _ = prepare(graph, weights, seed, passes)
    backend = load_backend(target)
    backend.ROWS.check(graph)
    assert chosen is not None
    return backend.build(graph, chosen)


def get_weights(model: Any, graph: Graph, *, target: str) -> dict[str, Array]:
    """Copies of a live model's weights under their canonical names, as `save_weights` takes them.

    `target` is `torch` or `keras`. Raises `SpecError` where the model is not one of this graph.
    """
    from netspec.weights import check_weights

    found = trainable(target).read_from(model, graph)
    check_weights(graph, found, "the model's weights")
    return found


def set_weights(model: Any, graph: Graph, weights: Weights, *, target: str) -> None:
    """Give a live model these weights; the inverse of `get_weights`.

    `target` is `torch` or `keras`. Raises `SpecError` where they are not the graph's.
    """
    from netspec.weights import check_weights

    check_weights(graph, weights)
    trainable(target).load_into(model, graph, weights)


def trainable(target: str) -> Trainable:
    """The backend of a target that learns. Raises `SpecError` for one that does not."""
    backend = load_backend(target)
    if not isinstance(backend, Trainable):
        message = f"a model built for `{target}` keeps the weights that it was built with"
        cure = "build another one with the new weights"
        raise SpecError(Diagnostic("unsupported", message, help=cure))
    return backend


def prepare(
    graph: Graph, weights: Weights | None, seed: int | None, passes: Sequence[str]
) -> tuple[Graph, Weights | None, tuple[Note, ...]]:
    """Weights checked or drawn, and passes run, with what they did. Without either nothing here needs NumPy."""
    if weights is not None:
        from netspec.weights import check_weights

        check_weights(graph, weights)
    elif seed is not None:
        from netspec.weights import init_weights

        weights = init_weights(graph, seed)
    if not passes:
        return graph, weights, ()
    from netspec.passes import optimize

    return optimize(graph, weights, [passes] if isinstance(passes, str) else passes)
