"""What a branch computes of the tensor that it reads: a kernel over a window. Knows nothing of sums."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from netspec.backend import need
from netspec.ir import Graph, Node
from netspec.ops import Rejected
from netspec.ops.conv import Conv, ConvTranspose
from netspec.ops.dense import Dense
from netspec.ops.pool import AveragePool
from netspec.passes.affine.maps import MAPS, Blocked, read_map
from netspec.passes.branches.taps import Apart, Taps
from netspec.passes.kernel import Kernel, read_kernel
from netspec.shape import Shape, join_pads, split_pads

if TYPE_CHECKING:
    import numpy as np

    from netspec.weights import Weights
else:
    np = need("numpy", "weights")

Layer: TypeAlias = Conv | ConvTranspose | Dense
"""What branches can become."""

LAYERS = (Conv, ConvTranspose, Dense)
PARTS = (*LAYERS, AveragePool, *MAPS)
"""What a branch may be, apart from the tensor itself."""


class Part(NamedTuple):
    """A branch that is linear in the tensor that it reads, or that tensor itself (`node` is None then)."""

    node: Node | None
    x: Shape
    taps: tuple[Taps, ...]
    groups: int
    outputs: int
    transposed: bool = False
    border: str | None = None
    """What stands in the padding, as `mode` of a convolution; None where there is none."""
    biased: bool = False
    free: bool = False
    """Whether the branch has nothing to multiply by where it stands alone."""

    @property
    def cost(self) -> int:
        """Multiply-adds at each position: how many numbers the kernel has."""
        window = prod(each.places for each in self.taps)
        return 0 if self.free else self.x.axis("c") // self.groups * self.outputs * window

    @property
    def is_pointwise(self) -> bool:
        """Whether every position is computed from itself alone."""
        return all(taps == Taps.single() for taps in self.taps)


def itself(x: Shape) -> Part:
    """The branch that is the tensor itself."""
    channels = x.axis("c")
    return Part(None, x, _single(x), channels, channels, free=True)


def read_part(graph: Graph, node: Node, weights: Weights | None) -> Part:
    """The branch that a node of one of `PARTS` is. Raises `Apart` where it is not linear, or has no finite weights."""
    (x,) = graph.input_shapes(node)
    stem = graph.owner(node).name
    for name, _ in graph.weights_of(node):
        if weights is not None and not np.isfinite(weights[name]).all():
            raise Apart("it has weights that are not finite")
    match node.op:
        case Conv() as op:
            pads = _pads(op.padding)
            taps = _windows(op.kernel, op.stride, op.dilation, pads)
            border = op.mode if any(map(any, pads)) else None
            return Part(node, x, taps, op.groups, op.filters, border=border, biased=op.bias)
        case ConvTranspose() as op:
            taps = tuple(
                each._replace(end=each.end + extra)
                for each, extra in zip(
                    _windows(op.kernel, op.stride, op.dilation, _pads(op.padding)),
                    op.output_padding,
                    strict=True,
                )
            )
            return Part(node, x, taps, op.groups, op.filters, transposed=True, biased=op.bias)
        case Dense() as op:
            return Part(node, x, _single(x), 1, op.units, biased=op.bias)
        case AveragePool() as op:
            pads = _pads(op.padding)
            padded = any(map(any, pads))
            if op.ceil or (padded and not op.count_padding):
                raise Apart("its windows at the border have fewer elements")
            assert op.stride is not None, "settled"
            taps = _windows(op.kernel, op.stride, (1,) * len(op.kernel), pads)
            border, channels = "zeros" if padded else None, x.axis("c")
            return Part(node, x, taps, channels, channels, border=border, free=True)
        case _:
            try:
                found = read_map(node.op, x, weights, stem)
                found.per_channel(x)
            except Blocked as blocked:
                raise Apart(f"it {blocked}") from None
            return itself(x)._replace(node=node, biased=not found.is_scale, free=False)


def read_part_kernel(graph: Graph, part: Part, weights: Weights) -> Kernel:
    """What the branch multiplies by, over its own window, and what it adds."""
    windows = [each.places for each in part.taps]
    if part.node is None or isinstance(part.node.op, AveragePool):
        share = np.full((part.groups, 1, 1, *windows), 1 / prod(windows))
        return Kernel(share, None)
    stem = graph.owner(part.node).name
    if isinstance(part.node.op, Conv | ConvTranspose | Dense):
        kernel = read_kernel(part.node.op, weights, stem)
        return kernel._replace(weight=kernel.weight.reshape(*kernel.weight.shape[:3], *windows))
    scale, shift = read_map(part.node.op, part.x, weights, stem).per_channel(part.x)
    return Kernel(scale.reshape(-1, 1, 1, *windows), shift if part.biased else None)


def of_layer(layer: Layer, kernel: Kernel) -> Kernel:
    """The kernel as the layer's weights have it: a dense layer's has no window."""
    if not isinstance(layer, Dense):
        return kernel
    return kernel._replace(weight=kernel.weight.reshape(kernel.weight.shape[:3]))


def as_layer(seed: Node, part: Part) -> Layer:
    """The layer of the seed's kind that computes a branch of its input. Raises `Apart` where there is none."""
    op, taps = seed.op, part.taps
    update: dict[str, Any] = {"bias": part.biased}
    if isinstance(op, Dense):
        if part.groups > 1 or not part.is_pointwise:
            raise Apart("a dense layer has no window")
        return op.model_copy(update=update)
    assert isinstance(op, Conv | ConvTranspose)
    spare = [each.last - each.end for each in taps]
    before = [-each.first for each in taps]
    update |= {
        "kernel": tuple(each.places for each in taps),
        "dilation": tuple(each.step for each in taps),
        "groups": part.groups,
        "padding": join_pads([(b, max(a, 0)) for b, a in zip(before, spare, strict=True)]),
    }
    if isinstance(op, ConvTranspose):
        update["output_padding"] = tuple(max(-after, 0) for after in spare)
    else:
        update["mode"] = part.border or "zeros"
    changed = op.model_copy(update=update)
    try:
        if changed.settle(part.x) == changed and changed.infer(part.x) == seed.shape:
            return changed
    except Rejected as rejected:
        raise Apart(rejected.message) from None
    raise Apart("no padding gives one window the size of the output")


def _single(x: Shape) -> tuple[Taps, ...]:
    windowed = x.kind in ("sequence", "image", "volume")
    return (Taps.single(),) * (len(x.spatial) if windowed else 0)


def _pads(
    padding: tuple[int, ...] | Literal["valid", "half", "same", "causal"],
) -> list[tuple[int, int]]:
    if isinstance(padding, str):
        raise Apart("what it pads depends on sizes known only at run time")
    return split_pads(padding)


def _windows(
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    pads: list[tuple[int, int]],
) -> tuple[Taps, ...]:
    return tuple(
        Taps(-before, k, d if k > 1 else 1, s, -before + (k - 1) * d - after)
        for k, s, d, (before, after) in zip(kernel, stride, dilation, pads, strict=True)
    )
