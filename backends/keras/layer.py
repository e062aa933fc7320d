"""What a row of the Keras table returns: the layers that realise one node, and how they are wired."""

from __future__ import annotations

from typing import NamedTuple

from netspec.emit.source import Call


def layer_name(path: str) -> str:
    """What a layer is called: a node's path with `_` for its dots."""
    return path.replace(".", "_")


class Step(NamedTuple):
    """One Keras layer, without its name.

    `reads` are numbers of values: the node's inputs come first, then the results of the steps before.
    The layer is called as the node, or, with a `suffix`, `node_suffix`. A `helper` is a function of the file
    itself, which takes the values first.
    """

    layer: Call
    reads: tuple[int, ...] = (0,)
    suffix: str = ""
    helper: bool = False


class Layer(NamedTuple):
    """How Keras realises one node; the last step gives its value.

    Where many nodes of a file need several steps alike, `short` stands for them: a call of a helper.
    """

    steps: tuple[Step, ...]
    short: Call | None = None


def chain(*steps: tuple[str, Call], short: Call | None = None) -> Layer:
    """Layers one after another, each with its suffix."""
    return Layer(tuple(Step(call, (i,), suffix) for i, (suffix, call) in enumerate(steps)), short)


def single(layer: Call, inputs: int = 1) -> Layer:
    """One layer for the node."""
    return Layer((Step(layer, tuple(range(inputs))),))
