"""Batch normalisation."""

from typing import Annotated

from pydantic import Field

from netspec.ops.base import Example, Init, Op, Weight, register
from netspec.ops.fields import Rate
from netspec.shape import Shape


@register
class BatchNorm(Op):
    """Batch normalisation over all axes but the channels (Ioffe and Szegedy, 2015).

    Running statistics follow PyTorch: `new = (1 - momentum) * old + momentum * batch`, and the running
    variance takes the unbiased batch variance.
    """

    kind = "bn"
    aliases = ("batch_norm",)
    accepts = ("vector", "sequence", "image", "volume")
    layout = "channels_first"
    examples = (
        Example("bn", ((5, 4, 3),), (5, 4, 3)),
        Example("bn eps=1e-3 momentum=0.01", ((5, 4, 3),), (5, 4, 3)),
        Example("bn affine=false", ((5, 4, 3),), (5, 4, 3)),
        Example("bn", ((6,),), (6,)),
        Example("bn", ((3, 2, 3, 4),), (3, 2, 3, 4)),
        Example("bn", ((5, 4),), (5, 4)),
    )

    eps: Annotated[float, Field(gt=0, le=1, description="added to the variance")] = 1e-5
    momentum: Annotated[
        Rate, Field(description="weight of the new batch in the running statistics")
    ] = 0.1
    affine: Annotated[bool, Field(description="whether a learned scale and shift follow")] = True

    def infer(self, *inputs: Shape) -> Shape:
        """Unchanged."""
        return inputs[0]

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """`weight`, `bias`, `running_mean`, `running_var`, each `(c)`."""
        shape = (inputs[0].axis("c"),)
        zero, one = Init.constant(0.0), Init.constant(1.0)
        affine = (Weight("weight", shape, one), Weight("bias", shape, zero)) if self.affine else ()
        mean = Weight("running_mean", shape, zero, trainable=False)
        return (*affine, mean, Weight("running_var", shape, one, trainable=False))

    def macs(self, output: Shape, *inputs: Shape) -> int:
        """One per element: at inference it is an affine map."""
        del inputs
        return output.elements
