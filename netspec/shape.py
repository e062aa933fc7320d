"""Tensor shapes with named axes, and window arithmetic. The batch axis is always there and never written."""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from netspec.dim import Size, bind, unknowns

AXES_BY_RANK = {1: "c", 2: "tc", 3: "chw", 4: "cdhw"}
KINDS = {"c": "vector", "t": "sequence", "tc": "sequence", "chw": "image", "cdhw": "volume"}
"""What tensors of the usual axes are called; one of any other axes is a `tensor`."""
DType = Literal["float", "int"]
_WINDOWED = frozenset({"tc", "ct", "chw", "cdhw"})


class Shape(BaseModel):
    """The shape of one example: `axes` names each axis with a letter, `sizes` counts elements along it.

    A size that is known only at run time is a `Dim`.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)

    axes: str
    sizes: tuple[Size, ...]
    dtype: DType = "float"

    @classmethod
    def of(cls, *sizes: int, dtype: DType = "float") -> "Shape":
        """The shape with the usual axes of its rank: `c`, `t c`, `c h w` or `c d h w`."""
        axes = "t" if dtype == "int" and len(sizes) == 1 else AXES_BY_RANK[len(sizes)]
        return cls.made(axes, sizes, dtype)

    @classmethod
    def made(cls, axes: str, sizes: tuple[int, ...], dtype: DType = "float") -> "Shape":
        """A shape of parts that are right by construction: nothing is checked, and no checker is built."""
        return cls.model_construct(axes=axes, sizes=sizes, dtype=dtype)

    @property
    def kind(self) -> str:
        """`vector`, `sequence`, `image`, `volume`, or `tensor` where the axes are others."""
        if self.axes == "t" and self.dtype == "float":  # numbers, not the ids of a sequence
            return "tensor"
        return KINDS.get(self.axes, "tensor")

    @property
    def spatial(self) -> tuple[int, ...]:
        """The sizes of the axes that a window moves over: all but the channels, of sequences, images and volumes."""
        if self.axes not in _WINDOWED:
            return ()
        index = self.axes.index("c")
        return (*self.sizes[:index], *self.sizes[index + 1 :])

    @property
    def elements(self) -> int:
        """How many numbers one example holds."""
        product = 1
        for size in self.sizes:
            product *= size
        return product

    @property
    def unknowns(self) -> frozenset[str]:
        """The names of the sizes that are known only at run time."""
        return unknowns(self.sizes)

    def bind(self, values: Mapping[str, int]) -> "Shape":
        """The shape with the unknown sizes known that `values` has."""
        return self.with_sizes(*bind(self.sizes, values))

    def axis(self, name: str) -> int:
        """The size along a named axis; KeyError where the shape has none."""
        index = self.axes.find(name)
        if index < 0 or len(name) != 1:
            raise KeyError(name)
        return self.sizes[index]

    def with_sizes(self, *sizes: int) -> "Shape":
        """The same axes with other sizes."""
        return Shape.made(self.axes, sizes, self.dtype)

    def with_map(self, channels: int, *spatial: int) -> "Shape":
        """The same axes with other channels and other sizes of the axes that a window moves over."""
        index = self.axes.index("c")
        return self.with_sizes(*spatial[:index], channels, *spatial[index:])

    def in_order(self, axes: str) -> "Shape":
        """The same sizes with the axes in another order."""
        return Shape.made(axes, tuple(map(self.axis, axes)), self.dtype)

    def __str__(self) -> str:
        return " x ".join(map(str, self.sizes))


def window_extent(kernel: int, dilation: int) -> int:
    """How many input positions a dilated window spans."""
    return dilation * (kernel - 1) + 1


def same_pads(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Padding before and after, by ONNX's SAME_UPPER and TensorFlow's SAME: the odd element goes to the end.

    Raises `UnknownSize` where it depends on a size that is not known.
    """
    if window_extent(kernel, dilation) == 1:
        return 0, 0
    wanted = same_steps(size, stride)
    total = max((wanted - 1) * stride + window_extent(kernel, dilation) - size, 0)
    return total // 2, total - total // 2


def same_steps(size: int, stride: int) -> int:
    """How many windows `same` padding gives: every position at stride 1, every n-th otherwise."""
    return -(-size // stride)


def window_steps(padded: int, extent: int, stride: int) -> int:
    """How many windows of `extent` fit into `padded` positions; zero or less where none does."""
    return (padded - extent) // stride + 1


def join_pads(pairs: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """(before, after) pairs per axis as ONNX writes them: all the befores, then all the afters."""
    return tuple(before for before, _ in pairs) + tuple(after for _, after in pairs)


def split_pads(pads: Sequence[int]) -> list[tuple[int, int]]:
    """The inverse of `join_pads`."""
    half = len(pads) // 2
    return list(zip(pads[:half], pads[half:], strict=True))
