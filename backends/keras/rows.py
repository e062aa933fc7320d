"""The table of rows, and what rows for windows share. Knows no op."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from netspec.backend import Rows
from netspec.backends.keras.layer import Holding, Layer, Step, expression, single
from netspec.dim import UnknownSize
from netspec.emit.source import Call, Expr, short
from netspec.shape import KINDS, Shape, same_pads, split_pads

Row: TypeAlias = Callable[..., Layer]
Pairs: TypeAlias = list[tuple[int, int]]
ROWS: Rows[Row] = Rows("keras", reuses=True)


def held_axes(axes: str) -> str:
    """The order in which Keras holds axes: the channels of images and volumes last."""
    is_map = KINDS.get(axes) in ("image", "volume")
    return axes.replace("c", "") + "c" if is_map else axes


def around(layer: str, pairs: Pairs) -> Call:
    """A layer that pads or crops, with its argument in the shortest form."""
    sides: Expr = tuple(pairs) if len(pairs) > 1 else pairs[0]
    if all(before == after for before, after in pairs):
        sides = short([before for before, _ in pairs])
    return Call(f"{layer}{len(pairs)}D", {"padding": sides})


def has_size(pairs: Pairs) -> bool:
    """Whether anything is padded at all."""
    return any(map(any, pairs))


def pad_pairs(padding: str | tuple[int, ...]) -> Pairs:
    """Settled padding as (before, after) of each axis; nothing for `same`, which Keras applies at run time."""
    return [] if isinstance(padding, str) else split_pads(padding)


def same_padding(
    x: Shape, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> Pairs | None:
    """What Keras's `padding="same"` pads; None where that depends on sizes known only at run time."""
    try:
        return [same_pads(*axis) for axis in zip(x.spatial, kernel, stride, dilation, strict=True)]
    except UnknownSize:
        return None


def constant(layer: Call) -> Row:
    """The row of an op that is one layer, whatever its input."""

    def row(_op: Any, _x: Shape) -> Layer:
        return single(layer)

    return row


def held_order(x: Shape) -> tuple[int, ...]:
    """The places of the spec's axes in the order in which Keras holds them."""
    return tuple(x.axes.index(letter) for letter in held_axes(x.axes))


def held_axis(x: Shape, letter: str) -> int:
    """Where Keras holds a named axis, the batch counted; -1 for the last."""
    place = held_axes(x.axes).index(letter)
    return -1 if place == len(x.sizes) - 1 else 1 + place


def in_order(template: Expr, axes: str, y: Shape, inputs: int = 1) -> Layer:
    """An expression that gives its axes in some order, and what brings them into that of its result's shape."""
    wanted = held_axes(y.axes)
    if axes == wanted:
        return expression(template, inputs)
    dims = tuple(1 + axes.index(letter) for letter in wanted)
    first = Step(template, tuple(range(inputs)), expression=True)
    return Layer((first, Step(Call("layers.Permute", {"dims": dims}), (inputs,))))


def with_channels_last(made: Call, x: Shape, holding: Holding) -> Layer:
    """A layer that knows the channels by the last axis, between two permutations where they stand elsewhere."""
    held = held_axes(x.axes)
    if held[-1] == "c":
        return single(made, held=holding)
    last = held.replace("c", "") + "c"
    there, back = (
        tuple(1 + before.index(axis) for axis in after)
        for before, after in ((held, last), (last, held))
    )
    steps = (
        Step(Call("layers.Permute", {"dims": there}), (0,), "permute"),
        Step(made, (1,), "inner"),
        Step(Call("layers.Permute", {"dims": back}), (2,)),
    )
    inner = {name: tuple(h._replace(suffix="inner") for h in ps) for name, ps in holding.items()}
    return Layer(steps, held=inner)
