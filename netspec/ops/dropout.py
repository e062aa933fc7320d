"""Noise that regularises training and vanishes at inference, unless it is asked to stay."""

from typing import Annotated, ClassVar, Self

from pydantic import Field

from netspec.ops.base import Example, Layout, Op, register
from netspec.ops.fields import Rate
from netspec.shape import Shape


class _Noise(Op):
    """Keeps the shape; at rate 0, and at inference unless it is `always` on, the identity."""

    layout: ClassVar[Layout] = "any"

    rate: Annotated[Rate, Field(description="probability that one is dropped")] = 0.5
    always: Annotated[
        bool, Field(description="whether it drops at inference too (Gal & Ghahramani, 2016)")
    ] = False

    def infer(self, *inputs: Shape) -> Shape:
        """Unchanged."""
        return inputs[0]

    def is_identity(self, *inputs: Shape) -> bool:
        """Unless it is always on."""
        del inputs
        return not self.always or self.rate == 0

    def deterministic(self) -> Self:
        """At rate 0."""
        return self.model_copy(update={"rate": 0.0, "always": False})

    @property
    def is_positionwise(self) -> bool:
        """Where it does nothing; elements are dropped alone at inference too."""
        return not self.always or self.positionwise

    def always_on(self) -> Self:
        """Dropping at inference too."""
        return self.model_copy(update={"always": True})


@register
class Dropout(_Noise):
    """Zeroes each element with probability `rate` in training and scales the rest by 1 / (1 - rate)."""

    kind = "dropout"
    positionwise = True
    examples = (
        Example("dropout 0.5", ((6,),), (6,)),
        Example("dropout", ((3, 4, 4),), (3, 4, 4)),
        Example("dropout 0", ((4, 5),), (4, 5)),
        Example("dropout 0.5 always=true", ((6,),), (6,)),
    )


@register
class SpatialDropout(_Noise):
    """`dropout` of whole channels, each with all its positions (Tompson et al., 2015)."""

    kind = "spatial_dropout"
    accepts = ("sequence", "image", "volume")
    layout = "channels_first"
    examples = (
        Example("spatial_dropout 0.2", ((3, 4, 4),), (3, 4, 4)),
        Example("spatial_dropout", ((4, 5),), (4, 5)),
        Example("spatial_dropout", ((2, 2, 3, 2),), (2, 2, 3, 2)),
    )


@register
class AlphaDropout(_Noise):
    """Dropout to the least value of `selu` that keeps mean and variance (Klambauer et al., 2017)."""

    kind = "alpha_dropout"
    positionwise = True
    examples = (
        Example("alpha_dropout 0.1", ((6,),), (6,)),
        Example("alpha_dropout", ((4, 5),), (4, 5)),
    )

    rate: Annotated[Rate, Field(lt=1, description="probability that one is dropped")] = 0.5


@register
class DropPath(_Noise):
    """Stochastic depth: `dropout` of whole examples, for the branch of a residual (Huang et al., 2016).

    `drop_path linear(0.2)` gives the first of the net's n drop paths the rate 0, the last one 0.2, and
    number i `0.2 * i / (n - 1)`. In `residual when=condition { ... }` without its shortcut it is left out,
    for nothing would remain, and counts all the same.
    """

    kind = "drop_path"
    aliases = ("stochastic_depth",)
    scheduled = "rate"
    examples = (
        Example("drop_path 0.1", ((3, 4, 4),), (3, 4, 4)),
        Example("drop_path", ((4, 5),), (4, 5)),
        Example("drop_path linear(0.1, 0.3)", ((6,),), (6,)),
    )
