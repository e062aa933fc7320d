"""Where data enters a network."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from netspec.dim import Dim
from netspec.ops.base import Example, Op, Rejected, register
from netspec.ops.fields import Count
from netspec.shape import AXES_BY_RANK, DType, Shape


def _flat(value: object) -> object:
    """`3 224 224`, `(3, 224, 224)` and `3x224x224` are one."""
    if isinstance(value, tuple) and len(value) == 1 and isinstance(value[0], tuple):
        return value[0]
    return tuple(value) if isinstance(value, list) else value


@register
class Input(Op):
    """A tensor that the caller gives, without its batch axis: `c`, `t c`, `c h w` or `c d h w`.

    Named sizes (`input c=1 t=16000`) say in which order the caller holds the axes, in every target.
    Inside of the network the tensor has the usual order.
    """

    kind = "input"
    variadic = "sizes"
    named_axes = True
    examples = (
        Example("input 10", (), (10,)),
        Example("input 3 32 32", (), (3, 32, 32)),
        Example("input c=2 t=5", (), (5, 2)),
        Example("input h=4 w=5 c=3", (), (3, 4, 5)),
    )

    sizes: Annotated[
        tuple[Count | Dim, ...],
        BeforeValidator(_flat),
        Field(description="size of each axis, channels first; `?T` is one known only at run time"),
    ]
    dtype: Annotated[DType, Field(description="`float`, or `int` for token ids")] = "float"
    axes: Annotated[
        str | None,
        Field(description="the letters of the axes, where their order is not the usual one"),
    ] = None

    def infer(self, *inputs: Shape) -> Shape:
        """The sizes, with the axes as they are named, or the usual ones of their number."""
        assert not inputs
        if self.axes is not None:
            return self._named(self.axes)
        if len(self.sizes) not in AXES_BY_RANK:
            raise Rejected(
                "wrong-rank",
                f"an input has 1 to {max(AXES_BY_RANK)} axes, not {len(self.sizes)}",
                param="sizes",
                help="write `c`, `t c`, `c h w` or `c d h w`; the batch axis is not written",
            )
        return Shape.of(*self.sizes, dtype=self.dtype)

    def _named(self, axes: str) -> Shape:
        if _usual_order(axes) is None:
            raise Rejected(
                "unknown-axis",
                f"no tensor has the axes `{' '.join(axes)}`",
                param=axes[:1] or "axes",
                help="name them as in `c`, `t c`, `c h w` or `c d h w`, in any order",
            )
        if len(axes) != len(self.sizes):
            raise Rejected(
                "wrong-rank",
                f"the input has the axes `{' '.join(axes)}`, but {len(self.sizes)} sizes",
                param="sizes",
            )
        return Shape.made(axes, self.sizes, self.dtype)

    def sequel(self, output: Shape) -> Op | None:
        """Axes in another order than the usual one are permuted first."""
        usual = _usual_order(output.axes)
        if usual in (None, output.axes):
            return None
        from netspec.ops.permute import Permute  # a family that few inputs need

        return Permute(axes=usual)


def _usual_order(axes: str) -> str | None:
    """The order in which a network holds these axes."""
    found = (usual for usual in AXES_BY_RANK.values() if sorted(usual) == sorted(axes))
    return next(found, None)
