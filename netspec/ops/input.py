"""Where data enters a network."""

from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

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
    """A tensor that the caller gives, without its batch axis: `c`, `t c`, `c h w` or `c d h w`."""

    kind = "input"
    variadic = "sizes"
    examples: ClassVar = (
        Example("input 10", (), (10,)),
        Example("input 3 32 32", (), (3, 32, 32)),
    )

    sizes: Annotated[
        tuple[Count, ...],
        BeforeValidator(_flat),
        Field(description="size of each axis, channels first"),
    ]
    dtype: Annotated[DType, Field(description="`float`, or `int` for token ids")] = "float"

    def infer(self, *inputs: Shape) -> Shape:
        """The sizes, with the usual axes of their number."""
        assert not inputs
        if len(self.sizes) not in AXES_BY_RANK:
            raise Rejected(
                "wrong-rank",
                f"an input has 1 to {max(AXES_BY_RANK)} axes, not {len(self.sizes)}",
                param="sizes",
                help="write `c`, `t c`, `c h w` or `c d h w`; the batch axis is not written",
            )
        return Shape.of(*self.sizes, dtype=self.dtype)
