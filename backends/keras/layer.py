"""What a row of the Keras table returns: the layers that realise one node, and how they are wired."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from netspec.emit.source import Call, Code, Expr, arg, fill, flat


def layer_name(path: str) -> str:
    """What a layer is called: a node's path with `_` for its dots."""
    return path.replace(".", "_")


LAYER = Code("<layer>")
"""Stands in the template of an application for the layer that is applied."""

LENDER = Code("<lender>")
"""Stands in an expression for the layer whose weights the node borrows."""


class Step(NamedTuple):
    """One Keras layer, without its name, or one expression.

    `reads` are numbers of values: the node's inputs come first, then the results of the steps before.
    The layer is called as the node, or, with a `suffix`, `node_suffix`. A `helper` is a function of the file
    itself, which takes the values first. An `expression` is a template whose `arg(i)` are the values read:
    `ops.flip(x, axis=1)`, `x[:, 0]`. It makes no layer, so nothing has its name. A layer that takes several
    values takes a list of them, unless `applied` is a template of what stands there, with LAYER for the layer:
    `layer(x, initial_state=state)`. What later steps read more than once is `kept` in a variable called so.
    """

    layer: Expr
    reads: tuple[int, ...] = (0,)
    suffix: str = ""
    helper: bool = False
    expression: bool = False
    applied: Expr = None
    kept: str = ""


class Held(NamedTuple):
    """Where a canonical tensor of a node, or a part of it, lives in Keras.

    `variable` is an attribute of the node's layer (of the step with this `suffix`), with dots for inner
    layers: `forward_layer.cell.kernel`. It holds the tensor's `rows` (all where None, else any selection
    along the first axis) with the axes of `split` (the tensor's own where None) in another `order`; where
    the order is None, the window's axes come first and the other two the other way round. `at` says
    which entry of the variable's first axis it is, where the variable stacks several tensors.
    """

    variable: str
    split: tuple[int, ...] | None = None
    order: tuple[int, ...] | None = None
    rows: tuple[int, ...] | None = None
    at: int | None = None
    suffix: str = ""


Holding: TypeAlias = Mapping[str, tuple[Held, ...]]

USUAL: Holding = MappingProxyType({"weight": (Held("kernel"),), "bias": (Held("bias"),)})
"""Where convolutions and dense layers keep their tensors."""


class Layer(NamedTuple):
    """How Keras realises one node; the last step gives its value.

    `held` tells for each of the op's weights where it lives. Where many nodes of a file need several
    steps alike, `short` stands for them: a call of a helper.
    """

    steps: tuple[Step, ...]
    short: Call | None = None
    held: Holding = USUAL


def describe(layer: Layer) -> str:
    """The layers in the order of their application."""
    return " -> ".join(flat(fill(step.layer, _named(len(step.reads)))) for step in layer.steps)


def _named(count: int) -> dict[Code, Expr]:
    """What the values of an expression are called."""
    values: dict[Code, Expr] = {
        arg(i): Code("x" if count == 1 else f"x{i + 1}") for i in range(count)
    }
    return {LENDER: Code("layer"), **values}


def expression(template: Expr, inputs: int = 1) -> Layer:
    """An expression of the node's inputs, `arg(0)` and so on, which needs no layer."""
    return Layer((Step(template, tuple(range(inputs)), expression=True),))


def chain(*steps: tuple[str, Call], short: Call | None = None, held: Holding = USUAL) -> Layer:
    """Layers one after another, each with its suffix."""
    made = tuple(Step(call, (i,), suffix) for i, (suffix, call) in enumerate(steps))
    return Layer(made, short, held)


def single(layer: Call, inputs: int = 1, held: Holding = USUAL) -> Layer:
    """One layer for the node."""
    return Layer((Step(layer, tuple(range(inputs))),), held=held)
