"""What a pass is, which there are, and how they are run: Model -> Model, pure and idempotent; a file for each."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from netspec.diagnostics import Diagnostic, SpecError, did_you_mean
from netspec.dim import below
from netspec.ir import Graph
from netspec.passes.validate import InvalidGraph, validate

if TYPE_CHECKING:
    from netspec.weights import Weights


class Note(NamedTuple):
    """What a pass did with a node of the network, or why it left it alone."""

    step: str
    """The pass."""
    node: str
    """The path of the node that it looked at, as the network had it when the pass began."""
    changed: bool
    """Whether it is gone or different now."""
    text: str
    """In words: `into conv1`, `stays: conv2 pads with zeros`."""


class Model(NamedTuple):
    """A network on its way through the passes; without weights its structure alone is rewritten.

    Weights that a pass computes are float64, whatever those are that it was given.
    """

    graph: Graph
    weights: Weights | None = None
    notes: tuple[Note, ...] = ()


Pass = Callable[[Model], Model]


class Listed(NamedTuple):
    """A pass that can be asked for by name."""

    place: str
    """Its module below `netspec.passes` and its function: `merge_linear:merge_linear`."""
    summary: str
    trains: bool = False
    """Whether the network that it gives trains as the spec says."""
    adds_work: bool = False
    """Whether it may add multiply-adds or nodes, for what they save elsewhere. Others may not."""


CATALOGUE: Mapping[str, Listed] = {
    "mc-dropout": Listed("mc_dropout:mc_dropout", "dropout stays on at inference", trains=True),
    "drop-unused": Listed(
        "drop_unused:drop_unused", "nodes and weights that lead to no result", trains=True
    ),
    "drop-identity": Listed(
        "drop_identity:drop_identity", "dropout, and what else changes nothing at inference"
    ),
    "common-subexpressions": Listed(
        "common_subexpressions:common_subexpressions", "equal ops of equal inputs become one"
    ),
    "fold-constants": Listed(
        "fold_constants:fold_constants", "what depends on no input is computed now"
    ),
    "fold-bn": Listed(
        "affine.propagate:fold_batchnorm",
        "batch norms into the linear layers directly before them: part of affine-backward",
    ),
    "affine-backward": Listed(
        "affine.propagate:affine_backward",
        "batch norms and other affine maps into layers before them",
    ),
    "affine-forward": Listed(
        "affine.propagate:affine_forward", "affine maps that are left into the layers behind them"
    ),
    "scale-forward": Listed(
        "affine.propagate:scale_forward",
        "scales of batch norms into the layers behind them, where their shifts must stay",
    ),
    "merge-linear": Listed(
        "merge_linear:merge_linear",
        "one layer for two linear ones in a row, where that costs no more",
    ),
    "merge-branches": Listed(
        "merge_branches:merge_branches", "linear branches that are added up become one layer"
    ),
    "merge-parallel": Listed(
        "merge_parallel:merge_parallel", "equal layers side by side in a concat become one"
    ),
    "channel-clamp": Listed(
        "channel_clamp:channel_clamp",
        "affine maps behind relus into the layers before, with bounds for each channel: for INT8",
        adds_work=True,
    ),
    "constant-map": Listed(
        "constant_map:constant_map",
        "affine maps into padded convolutions, which then add a constant: for INT8",
        adds_work=True,
    ),
    "norm-as-conv": Listed(
        "norm_as_conv:norm_as_conv",
        "batch norms that are left as depthwise convolutions: for INT8",
        adds_work=True,
    ),
}
"""The passes by name, in the order in which `-O` runs them."""

_ASKED_FOR = (
    "mc-dropout",  # changes what is computed
    "fold-bn",  # is part of another
    *("scale-forward", "channel-clamp", "constant-map", "norm-as-conv"),  # pay in INT8 alone
)
"""The passes that are not part of `-O`."""

OPTIMIZE = tuple(name for name in CATALOGUE if name not in _ASKED_FOR)
"""What `-O` stands for: the passes that leave what the network computes as it is."""


def find(name: str) -> Pass:
    """The pass of that name. Raises `SpecError`."""
    if name not in CATALOGUE:
        help_ = did_you_mean(name, CATALOGUE) or f"passes are {', '.join(CATALOGUE)}"
        raise SpecError(Diagnostic("unknown-pass", f"there is no pass `{name}`", help=help_))
    module, _, function = CATALOGUE[name].place.partition(":")
    found: Pass = getattr(import_module(f"netspec.passes.{module}"), function)
    return found


def optimize(
    graph: Graph, weights: Weights | None = None, passes: Iterable[str] = OPTIMIZE
) -> Model:
    """The network after these passes, with notes of what each did; where they changed it, for inference only.

    All arithmetic is float64; at the end what was computed is rounded once, to the widest dtype of those given.
    The passes run in turns until none changes anything. Raises `SpecError` for a name that is none.
    """
    names = list(passes)
    steps = [find(name) for name in names]
    thrifty = [s for s, name in zip(steps, names, strict=True) if not CATALOGUE[name].adds_work]
    if not steps:
        return Model(graph, weights)
    model, done = Model(graph, weights), list[Note]()
    while True:
        before, model = model.graph, run_passes(model._replace(notes=()), steps, thrifty)
        done += (note for note in model.notes if note.changed)
        if model.graph == before:
            break
    if model.graph != graph and not all(CATALOGUE[name].trains for name in names):
        model = model._replace(graph=model.graph.having(inference_only=True))
    notes = (*done, *(note for note in model.notes if not note.changed))
    return Model(model.graph, _rounded(model.weights, weights), notes)


def run_passes(model: Model, passes: Iterable[Pass], thrifty: Container[Pass] = ()) -> Model:
    """The model after these passes in their order, each held to the invariants of a graph.

    Those that are `thrifty` may add neither multiply-adds nor nodes. Raises `InvalidGraph`.
    """
    for step in passes:
        before, model = model.graph, step(model)
        if model.graph is not before:
            validate(model.graph)
            if step in thrifty:
                _check_cost(step, before, model.graph)
    return model


def _check_cost(step: Pass, before: Graph, after: Graph) -> None:
    for what, count in (("multiply-adds", _macs), ("nodes", lambda graph: len(graph.nodes))):
        if below(count(before), count(after)):
            fault = f"`{step.__name__}` makes {count(after)} {what} of {count(before)}"
            raise InvalidGraph(after.name, (fault,))


def _macs(graph: Graph) -> int:
    return sum(node.op.macs(node.shape, *graph.input_shapes(node)) for node in graph.nodes)


def _rounded(weights: Weights | None, given: Weights | None) -> Weights | None:
    if weights is None or not given:
        return weights
    from netspec.weights import np

    dtype = np.result_type(*given.values())
    return {name: array.astype(dtype, copy=False) for name, array in weights.items()}
