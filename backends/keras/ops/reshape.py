"""Ops that give a tensor other axes: how Keras realises them."""

from __future__ import annotations

from netspec.backends.keras.layer import Layer, chain, expression, single
from netspec.backends.keras.rows import (
    ROWS,
    held_order,
)
from netspec.dim import Dim
from netspec.emit.source import Call, arg
from netspec.ops.grouping import Grouping, Moves
from netspec.ops.reshape import (
    Flatten,
    Rearrange,
    Regroup,
    Reshape,
    Squeeze,
    Unsqueeze,
    alone,
    named_sizes,
)
from netspec.shape import Shape


@ROWS.row(Flatten)
def flatten(_op: Flatten, x: Shape) -> Layer:
    """The spec's order has the channels first."""
    rank = len(x.spatial)
    if x.kind not in ("image", "volume") or x.axis("c") in (1, x.elements):
        return single(Call("layers.Flatten"))
    first = Call("layers.Permute", {"dims": (rank + 1, *range(1, rank + 1))})
    return chain(("permute", first), ("", Call("layers.Flatten")))


@ROWS.row(Reshape)
def reshape(op: Reshape, x: Shape) -> Layer:
    """Into the spec's order, into the new sizes, and into Keras's order."""
    y = op.infer(x)
    held = held_order(x)
    before = tuple(map(held.index, range(len(held)))) if _moves(x) else None
    after = held_order(y) if _moves(y) else None
    given = tuple(x.sizes[i] for i in held) if before is None else x.sizes
    wanted = tuple(y.sizes[i] for i in held_order(y)) if after is None else y.sizes
    steps = [*_moved(before), *_shaped(None if given == wanted else wanted), *_moved(after)]
    return _named(steps)


def _moves(x: Shape) -> bool:
    """Whether Keras's order and the spec's differ in more than places of axes of one element."""
    same = Grouping(alone(x.axes), alone(x.axes), named_sizes(x))
    return same.moves(after=held_order(x)).order is not None


@ROWS.row(Rearrange, Squeeze, Unsqueeze)
def regroup(op: Regroup, x: Shape) -> Layer:
    """`Reshape`, `Permute` and `Reshape` between Keras's own orders, or those of them that are needed."""
    return _named(_steps(op.grouping(x).moves(held_order(x), held_order(op.infer(x)))))


def _steps(moves: Moves) -> list[Call]:
    return [*_shaped(moves.split), *_moved(moves.order), *_shaped(moves.joined)]


def _shaped(sizes: tuple[int, ...] | None) -> list[Call]:
    """Keras finds one size that is known only at run time."""
    if sizes is None:
        return []
    if sum(isinstance(size, Dim) for size in sizes) == 1:
        sizes = tuple([-1 if isinstance(size, Dim) else size for size in sizes])
    return [Call("layers.Reshape", {"target_shape": sizes})]


def _moved(order: tuple[int, ...] | None) -> list[Call]:
    return (
        []
        if order is None
        else [Call("layers.Permute", {"dims": tuple(1 + axis for axis in order)})]
    )


def _named(calls: list[Call]) -> Layer:
    """The last is the node's own; `Permute` needs no more, since it stands once before it at most."""
    if not calls:
        return expression(arg(0))
    names = {"layers.Reshape": "split", "layers.Permute": "permute"}
    return chain(*((names[str(call.func)], call) for call in calls[:-1]), ("", calls[-1]))
