"""Normalisations of each example by itself."""

from math import prod
from typing import Annotated, Literal

from pydantic import Field

from netspec.ops.base import Example, Init, Op, Rejected, Weight, register
from netspec.ops.fields import Count, Number, place_of
from netspec.shape import Shape

_Eps = Annotated[float, Field(gt=0, le=1, description="added to the variance")]
_Affine = Annotated[bool, Field(description="whether a learned scale and shift follow")]


def _scale_and_shift(shape: tuple[int, ...], bias: bool = True) -> tuple[Weight, ...]:
    """`weight` and `bias`, which start as 1 and 0."""
    weight = Weight("weight", shape, Init.constant(1.0))
    return (weight, Weight("bias", shape, Init.constant(0.0))) if bias else (weight,)


class _Normalisation(Op):
    """Keeps the shape, and does the same in training as at inference."""

    def infer(self, *inputs: Shape) -> Shape:
        """Unchanged."""
        place_of(inputs[0], "c")
        return inputs[0]

    def macs(self, output: Shape, *inputs: Shape) -> int:
        """One per element: the scale; the statistics are not counted."""
        del inputs
        return output.elements


@register
class LayerNorm(_Normalisation):
    """Mean 0 and variance 1 over the channels, or over all axes, of each example (Ba et al., 2016).

    The variance is the biased one. On an image the channels of each position are normalised apart,
    as in ConvNeXt.
    """

    kind = "ln"
    aliases = ("layer_norm",)
    examples = (
        Example("ln", ((6,),), (6,)),
        Example("ln eps=1e-6", ((4, 5),), (4, 5)),
        Example("ln", ((5, 4, 3),), (5, 4, 3)),
        Example("ln affine=false", ((3, 2, 3, 4),), (3, 2, 3, 4)),
        Example("ln bias=false", ((5, 4, 3),), (5, 4, 3)),
        Example("ln over=all", ((3, 4, 2),), (3, 4, 2)),
        Example("ln over=all affine=false", ((4, 5),), (4, 5)),
        Example('permute "c t" -> ln', ((4, 5),), (5, 4)),
    )

    over: Annotated[
        Literal["channels", "all"], Field(description="`channels`, or `all` axes together")
    ] = "channels"
    eps: _Eps = 1e-5
    affine: _Affine = True
    bias: Annotated[bool, Field(description="whether the learned scale has a shift")] = True

    @property
    def is_positionwise(self) -> bool:
        """Over the channels."""
        return self.over == "channels"

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """`weight` and `bias`, each `(c)`, or of the input's whole shape."""
        (x,) = inputs
        if not self.affine:
            return ()
        return _scale_and_shift(x.sizes if self.over == "all" else (x.axis("c"),), self.bias)


@register
class GroupNorm(_Normalisation):
    """Mean 0 and variance 1 over each of several groups of channels and all positions (Wu and He, 2018)."""

    kind = "gn"
    aliases = ("group_norm",)
    accepts = ("vector", "sequence", "image", "volume")
    layout = "channels_first"
    examples = (
        Example("gn 3", ((6, 4, 3),), (6, 4, 3)),
        Example("gn 2 eps=1e-3 affine=false", ((6, 4, 3),), (6, 4, 3)),
        Example("gn 1", ((6,),), (6,)),
        Example("gn 2", ((5, 4),), (5, 4)),
        Example("gn 2", ((4, 2, 3, 2),), (4, 2, 3, 2)),
    )

    groups: Annotated[Count, Field(description="groups that the channels are split into")]
    eps: _Eps = 1e-5
    affine: _Affine = True

    def infer(self, *inputs: Shape) -> Shape:
        """Unchanged."""
        channels = inputs[0].axis("c")
        if channels % self.groups:
            raise Rejected(
                "indivisible-groups",
                f"{channels} channels cannot be split into {self.groups} groups",
                param="groups",
                help="choose `groups` so that it divides the channels",
            )
        if channels == self.groups and prod(inputs[0].spatial) == 1:
            raise Rejected(
                "nothing-to-normalise",
                f"each of {self.groups} groups of {inputs[0]} is one number, of which the norm is 0",
                param="groups",
                help="use fewer groups, or `ln`",
            )
        return inputs[0]

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """`weight` and `bias`, each `(c)`."""
        return _scale_and_shift((inputs[0].axis("c"),)) if self.affine else ()


@register
class InstanceNorm(_Normalisation):
    """Mean 0 and variance 1 of each channel of each example (Ulyanov et al., 2016). No running statistics.

    PyTorch's layers learn no scale and shift by default, Keras's do.
    """

    kind = "instance_norm"
    aliases = ("inorm",)
    accepts = ("sequence", "image", "volume")
    layout = "channels_first"
    examples = (
        Example("instance_norm", ((5, 4, 3),), (5, 4, 3)),
        Example("instance_norm eps=1e-3 affine=false", ((5, 4, 3),), (5, 4, 3)),
        Example("instance_norm", ((5, 4),), (5, 4)),
        Example("instance_norm", ((3, 2, 3, 4),), (3, 2, 3, 4)),
    )

    eps: _Eps = 1e-5
    affine: _Affine = True

    def infer(self, *inputs: Shape) -> Shape:
        """Unchanged."""
        if prod(inputs[0].spatial) == 1:
            raise Rejected(
                "nothing-to-normalise",
                f"each channel of {inputs[0]} is one number, of which the instance norm is 0",
                help="`ln` normalises over the channels",
            )
        return inputs[0]

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """`weight` and `bias`, each `(c)`."""
        return _scale_and_shift((inputs[0].axis("c"),)) if self.affine else ()


@register
class RmsNorm(_Normalisation):
    """The features over their root mean square, times a learned scale (Zhang and Sennrich, 2019)."""

    kind = "rms"
    aliases = ("rms_norm",)
    positionwise = True
    examples = (
        Example("rms", ((4, 5),), (4, 5)),
        Example("rms eps=1e-3 affine=false", ((4, 5),), (4, 5)),
        Example("rms", ((6,),), (6,)),
        Example("rms", ((5, 4, 3),), (5, 4, 3)),
        Example("rms affine=false", ((5, 4, 3),), (5, 4, 3)),
        Example('permute "c t" -> rms', ((4, 5),), (5, 4)),
    )

    eps: Annotated[float, Field(gt=0, le=1, description="added to the mean of the squares")] = 1e-6
    affine: Annotated[bool, Field(description="whether a learned scale follows")] = True

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """`weight (c)`."""
        return _scale_and_shift((inputs[0].axis("c"),), bias=False) if self.affine else ()


@register
class LocalResponseNorm(_Normalisation):
    """x / (k + alpha / size * s)**beta, s the squares of the `size` channels around (AlexNet, 2012)."""

    kind = "lrn"
    aliases = ("local_response_norm",)
    accepts = ("image",)
    examples = (
        Example("lrn", ((7, 3, 4),), (7, 3, 4)),
        Example("lrn 3 alpha=0.5 beta=0.5 k=2", ((5, 4, 3),), (5, 4, 3)),
        Example("lrn 5 alpha=1", ((3, 4, 3),), (3, 4, 3)),
        Example("lrn 3 alpha=0 k=2", ((3, 2, 3),), (3, 2, 3)),
    )

    size: Annotated[Count, Field(description="channels that count, an odd number")] = 5
    alpha: Annotated[Number, Field(ge=0, description="factor of the mean of their squares")] = 1e-4
    beta: Annotated[Number, Field(ge=0, description="exponent")] = 0.75
    k: Annotated[Number, Field(gt=0, description="what is added to it")] = 1.0

    def infer(self, *inputs: Shape) -> Shape:
        """Unchanged."""
        if self.size % 2 == 0:
            raise Rejected(
                "even-size",
                f"`lrn` looks at as many channels before as after, so `size` is odd, not {self.size}",
                param="size",
                help=f"use {self.size - 1} or {self.size + 1}",
            )
        return inputs[0]


@register
class L2Normalise(_Normalisation):
    """The features over their Euclidean length, or over `eps` where they are shorter."""

    kind = "l2norm"
    aliases = ("l2_normalize",)
    layout = "any"
    examples = (
        Example("l2norm", ((6,),), (6,)),
        Example("l2norm", ((4, 5),), (4, 5)),
        Example("l2norm eps=2", ((5, 4, 3),), (5, 4, 3)),
        Example("l2norm axis=h", ((5, 4, 3),), (5, 4, 3)),
    )

    axis: Annotated[str, Field(description="the letter of the axis")] = "c"
    eps: Annotated[Number, Field(gt=0, description="the least that is divided by")] = 1e-12

    @property
    def is_positionwise(self) -> bool:
        """Over the features."""
        return self.axis == "c"

    def infer(self, *inputs: Shape) -> Shape:
        """Unchanged."""
        place_of(inputs[0], self.axis)
        return inputs[0]
