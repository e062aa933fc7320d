"""The argument types that ops share, and how the short forms of the language become them."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from netspec.dim import Dim, UnknownSize, below
from netspec.ops.base import Rejected
from netspec.ops.initial import Init
from netspec.shape import Shape, join_pads, same_pads, split_pads, window_extent

LARGEST = 2**31 - 1


def as_float(value: Any) -> Any:
    """A whole number is a number, too."""
    return float(value) if type(value) is int and abs(value) <= LARGEST else value


def _as_init(value: Any) -> Any:
    """A number is what every element starts as."""
    number = as_float(value)
    return Init.constant(number) if isinstance(number, float) and isfinite(number) else value


def _as_tuple(value: Any) -> Any:
    """One number stands for a tuple of one; a JSON array reaches a validator as a list."""
    if isinstance(value, list):
        return tuple(value)
    return (value,) if isinstance(value, int) and not isinstance(value, bool) else value


def _letters(value: Any) -> Any:
    """The letters of all words; a JSON array reaches a validator as a list."""
    words = (value,) if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
        return value
    return tuple(letter for word in words for letter in word.split())


def _pairs(value: Any) -> Any:
    """JSON's arrays of two as pairs."""
    if not isinstance(value, list):
        return value
    return tuple(tuple(each) if isinstance(each, list) else each for each in value)


Count = Annotated[int, Field(ge=1, le=LARGEST)]
Rate = Annotated[float, BeforeValidator(as_float), Field(ge=0, le=1)]
Number = Annotated[float, BeforeValidator(as_float), Field(allow_inf_nan=False)]
PerAxis = Annotated[
    tuple[Annotated[int, Field(ge=1, le=LARGEST)], ...],
    BeforeValidator(_as_tuple),
    Field(min_length=1, max_length=3),
]
Pads = Annotated[
    tuple[Annotated[int, Field(ge=0, le=LARGEST)], ...],
    BeforeValidator(_as_tuple),
    Field(min_length=1, max_length=6),
]
NamedSizes = Annotated[
    tuple[tuple[str, int], ...],
    BeforeValidator(_pairs),
]
Letters = Annotated[
    tuple[str, ...],
    BeforeValidator(_letters),
]
"""Axes by their letters: `h w`, or in one string `"h w"`."""
Start = Annotated[Init | None, BeforeValidator(_as_init)]
"""An initializer, or the number that all start as. Not for weights between channels, which would stay equal."""
Initial = Annotated[
    Init | None,
    Field(
        description="how the weight starts, `normal(0.02)` for instance; as in PyTorch if not given"
    ),
]
BiasInitial = Annotated[Start, Field(description="how the bias starts; as in PyTorch if not given")]
Padding = Literal["valid", "same", "half", "causal"] | Pads


def per_axis(
    values: Sequence[int], rank: int, param: str, *, or_sides: bool = False
) -> tuple[int, ...]:
    """One value for each of `rank` spatial axes; a single one serves them all.

    Raises `Rejected` for another number of values; `or_sides` tells that it may be one for each side, too.
    """
    if len(values) == 1:
        return tuple(values) * rank
    if len(values) != rank:
        raise Rejected(
            "wrong-rank",
            f"`{param}` has {len(values)} values, but the input has {rank} spatial "
            f"{'axis' if rank == 1 else 'axes'}",
            param=param,
            help=f"give one value, {rank}, or {2 * rank}: all axes' befores, then all afters"
            if or_sides
            else f"give one value, or {rank}",
        )
    return tuple(values)


def in_order(x: Shape, letters: Sequence[str]) -> tuple[str, ...]:
    """These axes, each once, in the tensor's order. Raises `Rejected` where it has none of that name."""
    places = {place_of(x, letter, "axes") for letter in letters}
    return tuple(x.axes[place] for place in sorted(places))


def place_of(x: Shape, letter: str, param: str = "axis") -> int:
    """Where the axis of that letter stands, the batch not counted. Raises `Rejected` where there is none."""
    index = x.axes.find(letter) if len(letter) == 1 else -1
    if index < 0:
        raise Rejected(
            "unknown-axis",
            f"a tensor of {x} has no axis `{letter}`",
            param=param,
            help=f"its axes are {', '.join(x.axes)}",
        )
    return index


def with_axis(x: Shape, letter: str, before: str | None) -> str:
    """The tensor's axes with a new one: before the axis of that letter, or in front of all."""
    if len(letter) != 1 or not letter.isalpha() or letter in x.axes:
        raise Rejected(
            "axis-taken",
            f"`axis` must be a letter that no axis of {' '.join(x.axes)} has, got `{letter}`",
            param="axis",
        )
    place = 0 if before is None else place_of(x, before, "before")
    return x.axes[:place] + letter + x.axes[place:]


def explicit_pads(
    padding: str | tuple[int, ...],
    spatial: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> tuple[int, ...]:
    """Any form of `padding` as numbers: all axes' befores, then all afters (ONNX's order)."""
    rank = len(spatial)
    if padding == "valid":
        return (0,) * (2 * rank)
    if padding == "same":
        axes = zip(spatial, kernel, stride, dilation, strict=True)
        return join_pads([same_pads(*axis) for axis in axes])
    if padding == "causal":
        if rank > 1:
            raise Rejected(
                "wrong-kind",
                f"`padding=causal` is for sequences, and the input has {rank} spatial axes",
                param="padding",
                help="only time has a past: use `padding=half` or numbers",
            )
        return (window_extent(kernel[0], dilation[0]) - 1, 0)
    if padding == "half":
        halves = tuple(window_extent(k, d) // 2 for k, d in zip(kernel, dilation, strict=True))
        return halves * 2
    assert isinstance(padding, tuple)
    if len(padding) == 2 * rank:
        return padding
    return per_axis(padding, rank, "padding", or_sides=True) * 2


def settled_pads(
    padding: str | tuple[int, ...],
    spatial: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> Literal["same"] | tuple[int, ...]:
    """What `explicit_pads` gives, or `same` where its numbers depend on sizes known only at run time."""
    try:
        return explicit_pads(padding, spatial, kernel, stride, dilation)
    except UnknownSize:
        return "same"


def check_windows(
    kind: str, x: Shape, kernel: Sequence[int], dilation: Sequence[int], pads: Sequence[int]
) -> None:
    """Raise `Rejected` where a window surely does not fit into its padded input."""
    extents = [window_extent(k, d) for k, d in zip(kernel, dilation, strict=True)]
    around = split_pads(pads)
    padded = [
        size + before + after for size, (before, after) in zip(x.spatial, around, strict=True)
    ]
    short = [i for i, extent in enumerate(extents) if below(padded[i], extent)]
    if not short:
        return
    window, room = " x ".join(map(str, extents)), " x ".join(map(str, x.spatial))
    axis = short[0]
    before, after = around[axis]
    raise Rejected(
        "window-too-large",
        f"`{kind}` looks through a {window} window at a {room} input",
        param="kernel",
        label=f"needs at least {window}",
        help=f"use a window of {min(size for size in padded if not isinstance(size, Dim))} or less, "
        "or `padding=same` "
        f"({x.spatial[axis]} + {before} + {after} - {extents[axis]} = {padded[axis] - extents[axis]})",
    )
