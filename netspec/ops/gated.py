"""Gated linear units: one half of the features gates the other. None has weights."""

from typing import Annotated, Literal

from pydantic import Field

from netspec.ops.base import Example, Op, Rejected, register
from netspec.ops.fields import place_of
from netspec.shape import Shape


def _examples(kind: str) -> tuple[Example, ...]:
    return (
        Example(kind, ((16,),), (8,)),
        Example(kind, ((4, 6),), (4, 3)),
        Example(kind, ((4, 3, 5),), (2, 3, 5)),
        Example(kind, ((2, 2, 3, 2),), (1, 2, 3, 2)),
    )


class _Gated(Op):
    """Splits the features into halves a and b."""

    layout = "any"
    positionwise = True

    def infer(self, *inputs: Shape) -> Shape:
        """Half the channels."""
        (x,) = inputs
        place = place_of(x, "c")
        if x.sizes[place] % 2:
            raise Rejected(
                "uneven-split",
                f"`{self.kind}` splits the features in halves, and {x.sizes[place]} is odd",
                help=f"make them {x.sizes[place] + 1}, for instance",
            )
        return x.with_sizes(*x.sizes[:place], x.sizes[place] // 2, *x.sizes[place + 1 :])


@register
class Glu(_Gated):
    """a * sigmoid(b): the second half gates (Dauphin et al., 2017)."""

    kind = "glu"
    examples = _examples("glu")


@register
class Reglu(_Gated):
    """a * relu(b): the second half gates (Shazeer, 2020)."""

    kind = "reglu"
    examples = _examples("reglu")


@register
class Geglu(_Gated):
    """a * gelu(b): the second half gates (Shazeer, 2020)."""

    kind = "geglu"
    examples = (*_examples("geglu"), Example("geglu tanh", ((4, 6),), (4, 3)))

    form: Annotated[Literal["exact", "tanh"], Field(description="as of `gelu`")] = "exact"


@register
class Swiglu(_Gated):
    """silu(a) * b: the first half gates (Shazeer, 2020), as in LLaMA."""

    kind = "swiglu"
    examples = _examples("swiglu")
