"""The only door between the core and the backends: what a backend is, its table of rows, and how one is loaded."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    NamedTuple,
    Protocol,
    TypeAlias,
    TypeVar,
    runtime_checkable,
)

from netspec.diagnostics import Diagnostic, SpecError, did_you_mean
from netspec.dim import Dim, UnknownSize
from netspec.ir import Graph, Node
from netspec.ops import Op, family_of
from netspec.ops.input import Input
from netspec.shape import Shape
from netspec.sharing import mirrors
from netspec.sizes import bind_op, unknowns_of

if TYPE_CHECKING:
    from netspec.checkpoints.matching import Matched
    from netspec.checkpoints.tensors import Checkpoint
    from netspec.training.examples import Examples
    from netspec.training.task import Task, Trainer
    from netspec.weights import Array, Weights

TARGETS = ("torch", "keras", "onnx")
"""What `compile` and `verify` offer; `reference` is the float64 oracle behind them."""

HOLDING: Mapping[str, str] = {
    ".onnx": "onnx",
    ".keras": "keras",
    ".weights.h5": "keras",
    ".pt": "torch",
    ".pth": "torch",
    ".pt2": "torch",
    ".ts": "torch",
}
"""The endings of names of files that hold weights, each with its target."""

_SHIPPED = (*TARGETS, "reference")
_GROUP = "netspec.backends"

RowT = TypeVar("RowT")
Attempt: TypeAlias = Callable[[RowT, Op, tuple[Shape, ...], tuple[str, ...]], object]

_MARK = "unknown_size_"
"""In front of the unknowns' names while a row is tried."""


class Step(NamedTuple):
    """What one training step gives, under canonical names and in canonical layouts.

    The gradients are those of every trainable weight and, under its own name, of every input of floats.
    """

    outputs: dict[str, Array]
    gradients: dict[str, Array]
    statistics: dict[str, Array]


class Session(Protocol):
    """A network that is ready to compute. Arrays carry a batch axis in front, then the spec's axes."""

    def predict(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name, in inference mode and with dropout that is always on at rate 0, too."""

    def train_step(self, inputs: Mapping[str, Array], cotangents: Mapping[str, Array]) -> Step:
        """One forward and backward pass in training mode with dropout at rate 0.

        The loss is the sum over all outputs of `output * cotangent`. The statistics are the running
        ones after the step. Raises `NotImplementedError` where the target cannot train.
        """


class Backend(Protocol):
    """A target. Implemented by the module `netspec.backends.<name>`."""

    SUFFIX: str
    """Of the file that `emit` fills: `.py`, `.onnx`."""
    EXTRA: str
    """The extra of this distribution that brings what `build` needs."""
    ROWS: Rows[Any]

    def describe(self, graph: Graph, node: Node) -> str:
        """What a node becomes, in a line of the target's own words. The target can realise it."""

    def emit(self, graph: Graph, weights: Weights | None) -> bytes:
        """The network in the target's own form; source targets leave the weights out."""

    def build(self, graph: Graph, weights: Weights) -> Any:
        """A live model of the target's framework with these weights, in inference mode."""

    def open_session(self, graph: Graph, weights: Weights, precision: str) -> Session:
        """A session in `float32` or `float64`."""


@runtime_checkable
class Trainable(Backend, Protocol):
    """A target whose live models are trained in its framework: weights go in, and come out again."""

    def open_trainer(self, task: Task, weights: Weights) -> Trainer:
        """The task's network with its optimizer, ready to be trained from these weights."""

    def load_into(self, model: Any, graph: Graph, weights: Weights) -> None:
        """Give the model these weights, in its own precision."""

    def read_from(self, model: Any, graph: Graph) -> dict[str, Array]:
        """Copies of the model's weights, under canonical names and in canonical layouts."""


@runtime_checkable
class Filing(Backend, Protocol):
    """A target whose framework has files of its own that hold weights: those of its entries in `HOLDING`."""

    def write_file(
        self, graph: Graph, weights: Weights, path: str, suffix: str, **options: Any
    ) -> Sequence[str]:
        """Write the network, or its weights alone, as the framework keeps them; the files written, `path` the first."""

    def read_file(self, path: str, key: str | None) -> Checkpoint:
        """The tensors of a file. Runs nothing of it. Raises `SpecError` where it is none, or not a safe one."""

    def match_file(self, file: Checkpoint, graph: Graph, **how: Any) -> Matched:
        """The graph's weights from a file's tensors. Takes what `matching.match` takes, and raises what it raises."""


@runtime_checkable
class Scripted(Backend, Protocol):
    """A target for which a run of training can be written as a script."""

    def emit_script(self, task: Task, module: str, stem: str, has_test: bool) -> tuple[str, str]:
        """The script, and the file of the network that it imports as `module`."""

    def examples_held(self, task: Task, examples: Examples) -> Examples:
        """The examples as the framework takes them, in its order of axes and the run's precision."""


class Rows(Generic[RowT]):
    """One row for each op: how a target realises it, and the reasons why it does not realise some uses."""

    def __init__(
        self, target: str, attempt: Attempt[RowT] | None = None, *, reuses: bool = False
    ) -> None:
        """`attempt(row, op, input_shapes, weight_names)` gives what the row makes of a node.

        Without it a row is a function of the op and its input shapes. The rows of a family of ops are
        imported when one of them is asked for: from the module of its name in `netspec.backends.<target>.ops`.
        `reuses` says that a shared layer is one object, so that what the row makes must be the same at each use.
        """
        self.target = target
        self.reuses = reuses
        self._families: set[str] = set()
        self._attempt = attempt or _apply
        self._rows: dict[type[Op], RowT] = {}
        self._limits: dict[type[Op], Callable[..., str | None]] = {}

    def row(
        self, *ops: type[Op], limit: Callable[..., str | None] | None = None
    ) -> Callable[[RowT], RowT]:
        """Register the decorated row for `ops`.

        `limit(op, *input_shapes)` gives the reason why one application is unsupported, or None.
        """

        def register(row: RowT) -> RowT:
            for op in ops:
                self._rows[op] = row
                if limit is not None:
                    self._limits[op] = limit
            return row

        return register

    def __contains__(self, op: type[Op]) -> bool:
        self._import(op)
        return op in self._rows

    def __getitem__(self, op: Op) -> RowT:
        self._import(type(op))
        return self._rows[type(op)]

    def _import(self, op: type[Op]) -> None:
        """The rows of the op's family; another package registers its own, of its target and of its ops."""
        family = family_of(op)
        if family is None or self.target not in _SHIPPED or family in self._families:
            return
        name = f"netspec.backends.{self.target}.ops.{family}"
        try:
            import_module(name)  # another thread that is at it already is waited for
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
        self._families.add(family)

    def reason_against(self, graph: Graph, node: Node) -> str | None:
        """Why the target cannot realise a node, or None."""
        kind = type(node.op)
        self._import(kind)
        if kind is Input:  # what the emitted function takes; no layer, so no row
            return None
        if kind not in self._rows:
            return f"the {self.target} backend has no row for it"
        shapes, limit = graph.input_shapes(node), self._limits.get(kind)
        owned = tuple(name for name, _ in graph.weights_of(node))
        try:
            reason = limit(node.op, *shapes) if limit is not None else None
        except UnknownSize as unknown:
            return _needs_number(unknown.size)
        if reason is None and unknowns_of(node.op, *shapes):
            reason = self._needed_number(node.op, shapes, owned)
        if reason is None and self.reuses and mirrors(graph, node):
            reason = self._other_code(graph, node, owned)
        return reason

    def _needed_number(
        self, op: Op, shapes: tuple[Shape, ...], weights: tuple[str, ...]
    ) -> str | None:
        """Whether a row does without the sizes that are known only at run time, found by trying it.

        Their names are marked: what the row makes must not hold one, neither as a value nor as text.
        """
        marked = {name: Dim.unknown(_MARK + name) for name in unknowns_of(op, *shapes)}
        given = tuple(shape.bind(marked) for shape in shapes)
        try:
            made = self._attempt(self[op], bind_op(op, marked), given, weights)
        except UnknownSize as unknown:
            return _needs_number(unknown.size.replace(_MARK, ""))
        found = re.search(rf"{_MARK}(\w+)", repr(made))
        return None if found is None else _needs_number(found[1])

    def _other_code(self, graph: Graph, node: Node, weights: tuple[str, ...]) -> str | None:
        """Why the code of the use that a node shares with does not serve this one, or None."""
        first = graph.by_name[node.shares or ""]
        shapes, before = graph.input_shapes(node), graph.input_shapes(first)
        row = self[node.op]
        try:
            made = self._attempt(row, first.op, before, weights)
        except UnknownSize:
            return None  # which is what is wrong with the other use
        if self._attempt(row, node.op, shapes, weights) == made:
            return None
        sizes, others = (", ".join(map(str, each)) for each in (before, shapes))
        return f"it shares `{first.name}`, whose code for {sizes} is not the code for {others}"

    def check(self, graph: Graph) -> None:
        """Raise one `SpecError` for all nodes that the target cannot realise."""
        found = [(node, self.reason_against(graph, node)) for node in graph.nodes]
        mistakes = [
            Diagnostic(
                "unsupported",
                f"{self.target} cannot realise `{node.op.kind}` ({node.name}): {reason}",
                position=graph.positions.get(node.name),
            )
            for node, reason in found
            if reason is not None
        ]
        if mistakes:
            raise SpecError(*mistakes)


def _apply(row: Any, op: Op, shapes: tuple[Shape, ...], _weights: tuple[str, ...]) -> object:
    return row(op, *shapes)


def _needs_number(size: str) -> str:
    return f"there it needs the size `{size}` as a number, and that is known only at run time"


def load_backend(name: str, *others: str) -> Backend:
    """The backend of that name: one of ours, or another package's entry point in `netspec.backends`.

    `others` may stand there too: the refusal of a name that is unknown lists them. Raises `SpecError`.
    """
    if name in _SHIPPED:
        backend: Backend = import_module(f"netspec.backends.{name}")
        return backend
    from importlib.metadata import entry_points  # slow to import, and seldom needed

    found = {entry.name: entry for entry in entry_points(group=_GROUP)}
    if name in found:
        plugin: Backend = found[name].load()
        return plugin
    known = (*TARGETS, *others, *found)
    raise SpecError(
        Diagnostic(
            "unknown-target",
            f"there is no target `{name}`",
            help=did_you_mean(name, known) or f"targets are {', '.join(known)}",
        )
    )


def one_framework(*targets: str) -> None:
    """Let Keras compute with PyTorch where a process needs both: TensorFlow beside PyTorch may clash.

    Has no effect where the user chose Keras's backend, or Keras is imported already.
    """
    if {"torch", "keras"} <= set(targets):
        os.environ.setdefault("KERAS_BACKEND", "torch")


def check_trains(graph: Graph) -> None:
    """Raise a `SpecError` where a graph was rewritten for inference alone."""
    if graph.inference_only:
        message = (
            f"`{graph.name}` was rewritten for inference, and would train otherwise than the spec"
        )
        help_ = "train the network as it is, and run the passes on what comes of it"
        raise SpecError(Diagnostic("inference-only", message, help=help_))


def need(module: str, extra: str) -> Any:
    """Import a framework, or raise a `SpecError` that names the command which installs it."""
    try:
        if module != "keras" or module in sys.modules:
            return import_module(module)
        from netspec.quiet import without_notes

        with without_notes():
            return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise SpecError(
            Diagnostic(
                "missing-package",
                f"this needs the package `{module.split('.')[0]}`, which is not installed",
                help=f"pip install 'netspec-compiler[{extra}]'",
            )
        ) from None
