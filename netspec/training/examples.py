"""Examples as a network takes them, and the loss that fits its result: shapes, labels, numbers, all proved first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from netspec.diagnostics import Diagnostic, SpecError
from netspec.dim import Dim
from netspec.feeds import vocabulary
from netspec.ir import Graph, Node
from netspec.labelled import listed
from netspec.passes.rewrite import rewrite
from netspec.shape import Shape
from netspec.training.data import Part
from netspec.training.recipe import Loss, Recipe
from netspec.weights import Array, np

_LOGITS_OF = {"cross-entropy": ("softmax", "log_softmax"), "bce": ("sigmoid",)}
"""The last ops that these losses do themselves, more exactly."""


class Examples(NamedTuple):
    """Inputs by name, float32 or float64 or whole numbers, and targets: labels, or numbers in the result's shape."""

    inputs: dict[str, Array]
    targets: Array

    def cast(self, precision: str) -> Examples:
        """With floats in this precision."""

        def held(array: Array) -> Array:
            return array.astype(precision, copy=False) if array.dtype.kind == "f" else array

        return Examples({name: held(x) for name, x in self.inputs.items()}, held(self.targets))


class Objective(NamedTuple):
    """What is made small, and the metric beside it: accuracy, or `mae`, the mean absolute error.

    `class_weights` are for each class, of cross-entropy; a batch is divided by the sum of its weights.
    """

    loss: Loss
    output: Shape
    class_weights: tuple[float, ...] | None = None

    @property
    def metric(self) -> Literal["accuracy", "mae"]:
        """The name of the metric."""
        return "accuracy" if self.loss in _LOGITS_OF else "mae"

    @property
    def classes(self) -> int:
        """How many classes cross-entropy tells apart."""
        return self.output.axis("c")

    def weighted(self, recipe: Recipe, labels: Array) -> Objective:
        """With the weights of classes that the recipe asks for: given, or by how rare each class is."""
        asked = recipe.class_weights
        if asked is None:
            return self
        if self.loss != "cross-entropy":
            raise _mistake(
                "bad-recipe", f"class weights go with cross-entropy, not with {self.loss}"
            )
        if asked == "balanced":
            counts = np.bincount(labels.ravel(), minlength=self.classes)
            if not counts.all():
                missing = ", ".join(map(str, np.flatnonzero(counts == 0)[:5]))
                raise _mistake("bad-data", f"no example is of class {missing}: nothing to balance")
            weights = labels.size / (self.classes * counts)
            return self._replace(class_weights=tuple(weights.tolist()))
        if len(asked) != self.classes:
            message = f"{len(asked)} class weights for {self.classes} classes"
            raise _mistake("bad-recipe", message)
        return self._replace(class_weights=asked)


def objective_of(graph: Graph, targets: Array, recipe: Recipe) -> Objective:
    """The recipe's loss, or the one that the targets ask for. Raises `SpecError` where it does not fit the network."""
    if len(graph.outputs) != 1:
        names = ", ".join(f"`{output.name}`" for output in graph.outputs)
        raise _mistake("untrainable", f"a run trains one result, and `{graph.name}` has {names}")
    if not any(weight.trainable for _, weight in graph.weights()):
        raise _mistake("untrainable", f"`{graph.name}` has no weights to train")
    last = graph.by_name[graph.outputs[0].node]
    loss = recipe.loss or _usual(last, targets)
    for other, ops in _LOGITS_OF.items():
        if loss in _LOGITS_OF and other != loss and last.op.kind in ops:
            message = f"{loss} takes logits, and `{graph.name}` ends in `{last.op.kind}`"
            raise _mistake(
                "untrainable", message, f"take the loss {other}, or leave the last op out"
            )
    if loss == "cross-entropy":
        if last.shape.kind not in ("vector", "sequence", "image", "volume"):
            message = f"cross-entropy finds no classes in a result of the axes `{last.shape.axes}`"
            raise _mistake("untrainable", message)
        if last.shape.axis("c") < 2:
            message = f"cross-entropy tells classes apart, and the result is {last.shape}"
            raise _mistake("untrainable", message, "a single number goes with bce or mse")
    return Objective(loss, last.shape)


def _usual(last: Node, targets: Array) -> Loss:
    """Labels of several classes, of two in one number, or numbers."""
    single = last.shape.elements == 1
    if last.op.kind == "sigmoid" or (single and targets.dtype.kind in "bu"):
        return "bce"
    whole = targets.dtype.kind in "biu"
    if whole and single and set(np.unique(targets[:100_000]).tolist()) <= {0, 1}:
        return "bce"
    return "mse" if single or targets.dtype.kind == "f" else "cross-entropy"


def check_classes(names: Sequence[str], objective: Objective) -> None:
    """Raise `SpecError` where data name their classes, and the network does not tell so many apart."""
    if not names:
        return
    given = f"the data have {len(names)} classes ({listed(names, 5)})"
    if objective.loss not in _LOGITS_OF or (
        objective.loss == "bce" and objective.output.elements != 1
    ):
        message = f"{given}, and {objective.loss} takes numbers in the shape of the result"
        raise _mistake(
            "bad-labels", message, "take the loss cross-entropy, with a result for each class"
        )
    told = 2 if objective.loss == "bce" else objective.classes
    if told != len(names):
        raise _mistake("bad-labels", f"{given}, and the network tells {told} apart")


def trained_graph(graph: Graph, loss: Loss) -> Graph:
    """The graph without a last softmax or sigmoid over what the loss takes as logits. It has the same weights."""
    last = graph.by_name[graph.outputs[0].node]
    if last.op.kind not in _LOGITS_OF.get(loss, ()) or getattr(last.op, "axis", None) not in (
        None,
        "c",
    ):
        return graph
    return rewrite(graph, {}, {last.name: last.inputs[0]})


def examples_of(graph: Graph, part: Part, objective: Objective, name: str) -> Examples:
    """The part as the network takes it. Raises one `SpecError` for all that does not fit."""
    inputs = {node.name: node for node in graph.inputs}
    given = dict(part.x)
    if len(inputs) == 1 and given.keys() == {"x"}:
        given = {next(iter(inputs)): given["x"]}
    mistakes: list[Diagnostic] = []
    if given.keys() != inputs.keys():
        held, wanted = (", ".join(f"`{key}`" for key in keys) for keys in (given, inputs))
        message = f"the data have {held}, and the network takes {wanted}"
        raise _mistake("bad-data", message)
    fitted = {}
    for key, node in inputs.items():
        try:
            fitted[key] = _fit_input(graph, node, np.asarray(given[key]), name)
        except SpecError as error:
            mistakes += error.diagnostics
    try:
        targets = _fit_targets(np.asarray(part.y), objective, name)
    except SpecError as error:
        mistakes += error.diagnostics
    if mistakes:
        raise SpecError(*mistakes)
    return Examples(fitted, targets)


def _fit_input(graph: Graph, node: Node, array: Array, part: str) -> Array:
    sizes = node.shape.sizes
    if array.ndim == len(sizes) and sizes[0] == 1 and node.shape.kind in ("image", "volume"):
        array = array[:, None]  # grey images are often kept without an axis for their one channel
    if array.ndim == 4 and array.shape[1] == 1 and sizes == (array[0].size,):
        array = array.reshape(len(array), -1)  # one channel has one order of pixels
    shape = array.shape[1:]
    if not _matches(shape, sizes):
        raise _misshapen(node, array, part)
    if node.shape.dtype == "int":
        return _fit_tokens(graph, node, array, part)
    if array.dtype.kind not in "fbiu":
        raise _mistake("bad-data", f"`{node.name}` ({part}) holds {array.dtype}, not numbers")
    array = array.astype(np.float32) if array.dtype != np.float64 else array
    _check_finite(array, f"`{node.name}` ({part})")
    return array


def _matches(shape: tuple[int, ...], sizes: tuple[object, ...]) -> bool:
    return len(shape) == len(sizes) and all(
        isinstance(size, Dim) or size == found for size, found in zip(sizes, shape, strict=True)
    )


def _misshapen(node: Node, array: Array, part: str) -> SpecError:
    shape, sizes = array.shape[1:], node.shape.sizes
    found = " x ".join(map(str, shape)) or "a single number"
    message = f"an example of `{node.name}` ({part}) is {found}, and the network takes {node.shape}"
    help: str | None = None  # noqa: A001
    if len(shape) > 2 and _matches((shape[-1], *shape[:-1]), sizes):
        order = ", ".join(map(str, (0, array.ndim - 1, *range(1, array.ndim - 1))))
        help = f"these hold the channels last: `x.transpose({order})`"  # noqa: A001
    elif len(shape) == len(sizes):
        help = f"`--input {'x'.join(map(str, shape))}` gives the network this size"  # noqa: A001
    elif len(sizes) == 1 and np.prod(shape) == sizes[0]:
        help = f"`x.reshape(len(x), {sizes[0]})`"  # noqa: A001
    return _mistake("misshapen-data", message, help)


def _fit_tokens(graph: Graph, node: Node, array: Array, part: str) -> Array:
    if array.dtype.kind not in "iu":
        message = f"`{node.name}` ({part}) holds {array.dtype}, and the network takes whole numbers"
        raise _mistake("bad-data", message)
    bound = vocabulary(graph, node, np.iinfo(np.int64).max)
    if array.size and not 0 <= array.min() <= array.max() < bound:
        reach = f"from {array.min()} to {array.max()}"
        message = (
            f"`{node.name}` ({part}) holds tokens {reach}, and the network knows 0 to {bound - 1}"
        )
        raise _mistake("bad-data", message)
    return array.astype(np.int64)


def _fit_targets(array: Array, objective: Objective, part: str) -> Array:
    if objective.loss == "cross-entropy":
        return _fit_labels(array, objective, part)
    sizes = objective.output.sizes
    if array.ndim == 1 and sizes == (1,):
        array = array[:, None]
    if not _matches(array.shape[1:], sizes):
        found = " x ".join(map(str, array.shape[1:])) or "a single number"
        message = f"a target ({part}) is {found}, and the network gives {objective.output}"
        raise _mistake("misshapen-data", message)
    if array.dtype.kind not in "fbiu":
        raise _mistake("bad-data", f"targets ({part}) hold {array.dtype}, not numbers")
    array = array.astype(np.float32) if array.dtype != np.float64 else array
    _check_finite(array, f"targets ({part})")
    if objective.loss == "bce" and array.size and not 0 <= array.min() <= array.max() <= 1:
        reach = f"from {array.min():g} to {array.max():g}"
        raise _mistake(
            "bad-labels", f"bce takes targets from 0 to 1, and these ({part}) are {reach}"
        )
    return array


def _fit_labels(array: Array, objective: Objective, part: str) -> Array:
    """A label for each example, or for each place of it."""
    output = objective.output
    places = tuple(
        size for axis, size in zip(output.axes, output.sizes, strict=True) if axis != "c"
    )
    if array.ndim == 2 and array.shape[1] == 1 and not places:
        array = array[:, 0]
    if not _matches(array.shape[1:], places):
        found = " x ".join(map(str, array.shape[1:])) or "a single label"
        wanted = " x ".join(map(str, places)) or "one label"
        message = f"targets ({part}) are {found} for an example, and cross-entropy takes {wanted}"
        one_hot = array.shape[1:] == output.sizes
        where = "-1" if output.axes[-1] == "c" else str(1 + output.axes.index("c"))
        raise _mistake("bad-labels", message, f"`y.argmax({where})`" if one_hot else None)
    if array.dtype.kind not in "biu":
        message = f"labels ({part}) are {array.dtype}, and cross-entropy takes whole numbers"
        cure = "`y.astype(int)`" if array.dtype.kind == "f" else "number the classes from 0"
        raise _mistake("bad-labels", message, cure)
    if array.size and not 0 <= array.min() <= array.max() < objective.classes:
        reach = f"from {array.min()} to {array.max()}"
        classes = f"the network's {objective.classes} classes 0 to {objective.classes - 1}"
        message = f"labels ({part}) are {reach}, and {classes}"
        raise _mistake("bad-labels", message)
    return array.astype(np.int64)


def _check_finite(array: Array, what: str) -> None:
    if not np.isfinite(array).all():
        raise _mistake("bad-data", f"{what} holds numbers that are not finite")


def _mistake(id: str, message: str, help: str | None = None) -> SpecError:  # noqa: A002
    return SpecError(Diagnostic(id, message, help=help))
