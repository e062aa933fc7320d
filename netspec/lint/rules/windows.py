"""Rules about windows: sizes, strides and padding that leave input out or look at nothing."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.language import tree
from netspec.lint.rule import Finding, rule
from netspec.lint.subject import Instance, Place, Subject
from netspec.shape import split_pads, window_extent

POOLS = ("pool", "avgpool", "l2pool")
LARGE = 4  # a window of this size that equals its map is a global pool, a smaller one may be chance


def _extents(instance: Instance) -> list[int]:
    """How far a window reaches along each axis."""
    kernel: tuple[int, ...] = instance.field("kernel")
    dilation = instance.field("dilation", (1,) * len(kernel))
    return [window_extent(k, d) for k, d in zip(kernel, dilation, strict=True)]


def _by(sizes: tuple[int, ...]) -> str:
    return " x ".join(map(str, sizes))


@rule(
    "pool-covers-map",
    family="windows",
    summary="a pool's window is as large as its whole map, or larger",
    why="A window that covers the map is a global pool that works at one input size only: at a larger one the "
    "output grows and the layers behind it have other shapes. `gap` is the mean of the map at any size. A "
    "window that is larger than its map looks at padding; one that equals it is reported from a size of "
    f"{LARGE} on.",
    bad="input 3 8 8\nconv 16 3 padding=1 -> relu -> avgpool 8 -> flatten -> dense 10\n",
    good="input 3 8 8\nconv 16 3 padding=1 -> relu -> gap -> dense 10\n",
)
def _pool_covers_map(subject: Subject) -> Iterator[Finding]:
    def covered(_: Place, instance: Instance) -> tuple[int, ...] | None:
        if instance.op.kind not in POOLS:
            return None
        sizes = instance.shapes[0].spatial
        extents = _extents(instance)
        pairs = list(zip(extents, sizes, strict=True))
        larger = any(extent > size for extent, size in pairs) or max(extents) >= LARGE
        return sizes if larger and all(extent >= size for extent, size in pairs) else None

    for place, instance, sizes in subject.steps(covered):
        yield Finding(
            f"the window of {_by(instance.field('kernel'))} covers the whole map of {_by(sizes)}",
            place.head,
            help="use `gap` for the mean of the whole map"
            if instance.op.kind == "avgpool"
            else "use a smaller window, or fewer pools before it",
        )


@rule(
    "even-kernel-half-padding",
    family="windows",
    summary="`padding=half` does not keep the size of the map under an even kernel",
    why="`half` pads half of the window on either side, rounded down, which keeps the size for odd kernels. "
    "An even kernel has no middle: the output is one larger than the input, and a residual around it does "
    "not fit. `same` pads one side more than the other, and keeps the size.",
    bad="input 3 8 8\nconv 16 4 padding=half -> relu\n",
    good="input 3 8 8\nconv 16 4 padding=same -> relu\n",
)
def _even_kernel_half_padding(subject: Subject) -> Iterator[Finding]:
    def half(place: Place, instance: Instance) -> tree.Argument | None:
        if instance.op.kind not in ("conv", *POOLS):
            return None
        argument = place.argument(instance.op, "padding")
        if argument is None or not isinstance(argument.value, tree.Name):
            return None
        even = any(extent % 2 == 0 for extent in _extents(instance))
        return argument if argument.value.name == "half" and even else None

    for _, instance, argument in subject.steps(half):
        before, after = instance.shapes[0].spatial, instance.node.shape.spatial
        yield Finding(
            f"under an even kernel, `padding=half` makes {_by(after)} of {_by(before)}",
            argument.span,
            help="use `padding=same`, or an odd kernel",
        )


@rule(
    "skipped-input",
    family="windows",
    summary="a stride is larger than its window, so that some input is never looked at",
    why="Between two positions of the window there are rows or columns that are part of no window: they are "
    "computed and thrown away, and small things in the image get lost there. A window of 1 is not "
    "reported: ResNets take every second pixel on purpose.",
    bad="input 3 32 32\nconv 16 3 stride=4\n",
    good="input 3 32 32\nconv 16 4 stride=4\n",
)
def _skipped_input(subject: Subject) -> Iterator[Finding]:
    def skipped(_: Place, instance: Instance) -> tuple[int, int] | None:
        if instance.op.kind not in ("conv", *POOLS):
            return None
        stride: tuple[int, ...] = instance.field("stride")
        pairs = zip(stride, _extents(instance), strict=True)
        return next(((step, reach) for step, reach in pairs if step > reach > 1), None)

    for place, _, (step, reach) in subject.steps(skipped):
        yield Finding(
            f"a window of {reach} that moves by {step} skips {step - reach} of every {step} positions",
            place.head,
            help=f"use a stride of {reach} or less, or a window of {step}",
        )


@rule(
    "padding-beyond-window",
    family="windows",
    summary="a convolution is padded by its whole window or more",
    why="At the border such a window sees padding alone, so that the output has a frame that does not depend "
    "on the input. It happens where `padding=1` stays behind when a kernel of 3 becomes one of 1.",
    bad="input 3 8 8\nconv 16 1 padding=1 -> relu\n",
    good="input 3 8 8\nconv 16 1 -> relu\n",
)
def _padding_beyond_window(subject: Subject) -> Iterator[Finding]:
    def beyond(_: Place, instance: Instance) -> tuple[int, int] | None:
        padding = instance.field("padding")
        if instance.op.kind != "conv" or padding == "same":  # which is what it is at no known size
            return None
        pads = split_pads(padding)
        pairs = ((max(pad), reach) for pad, reach in zip(pads, _extents(instance), strict=True))
        return next(((pad, reach) for pad, reach in pairs if pad >= reach), None)

    for place, instance, (pad, reach) in subject.steps(beyond):
        argument = place.argument(instance.op, "padding")
        yield Finding(
            f"a padding of {pad} around a window of {reach} gives outputs that see no input",
            place.head if argument is None else argument.span,
            help=f"use a padding of {reach - 1} or less" if reach > 1 else "leave the padding out",
        )
