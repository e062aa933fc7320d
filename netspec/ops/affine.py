"""Scales and shifts of each channel: learned, or given with the network."""

from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from netspec.ops.base import Example, Init, Op, Rejected, Weight, register
from netspec.ops.fields import Number, Start, as_float, place_of
from netspec.shape import Shape


def _per_channel(x: Shape) -> tuple[int, ...]:
    """The channels with an axis of one for each axis behind them, as PyTorch spreads them over a map."""
    place = place_of(x, "c")
    return (x.sizes[place], *(1,) * (len(x.sizes) - place - 1))


class _Affine(Op):
    """Keeps the shape."""

    layout = "fixed"
    positionwise = True

    def infer(self, *inputs: Shape) -> Shape:
        """Unchanged."""
        place_of(inputs[0], "c")
        return inputs[0]

    def macs(self, output: Shape, *inputs: Shape) -> int:
        """One per element."""
        del inputs
        return output.elements


class _Learned(_Affine):
    """A number for each channel. The weight is called as its step."""

    neutral: ClassVar[float]

    init: Annotated[
        Start, Field(description="how the numbers start; as what changes nothing if not given")
    ] = None

    def infer(self, *inputs: Shape) -> Shape:
        """Unchanged."""
        channels = inputs[0].sizes[place_of(inputs[0], "c")]
        reason = None if self.init is None else self.init.reason_against((channels,))
        if reason is not None:
            raise Rejected(
                "bad-initializer", f"{reason}, and channels have one number each", param="init"
            )
        return inputs[0]

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """The numbers, `(c, 1, 1)` for an image."""
        return (
            Weight("", _per_channel(inputs[0]), Init.constant(self.neutral)).starting(self.init),
        )


@register
class Scale(_Learned):
    """Each channel times a learned factor: the layer scale of CaiT (Touvron et al., 2021) and ConvNeXt.

    Its weight is called as its step: `layer_scale: scale 1e-6` is torchvision's `layer_scale`.
    """

    kind = "scale"
    neutral = 1
    aliases = ("layer_scale",)
    examples = (
        Example("scale 0.5", ((3, 4, 5),), (3, 4, 5)),
        Example("scale init=normal(0.2)", ((6,),), (6,)),
        Example("scale 1e-6", ((4, 5),), (4, 5)),
        Example("scale", ((2, 3, 2, 2),), (2, 3, 2, 2)),
        Example('permute "c t" -> scale', ((4, 5),), (5, 4)),
    )


@register
class Shift(_Learned):
    """Each channel plus a learned number. Its weight is called as its step."""

    kind = "shift"
    neutral = 0
    examples = (
        Example("shift 0.5", ((3, 4, 5),), (3, 4, 5)),
        Example("shift init=uniform(0.1)", ((6,),), (6,)),
        Example("shift", ((4, 4),), (4, 4)),
        Example('permute "c t" -> shift', ((4, 4),), (4, 4)),
    )


@register
class Affine(_Affine):
    """Each channel times a learned factor, plus a learned number (ResMLP, Touvron et al., 2021)."""

    kind = "affine"
    examples = (
        Example("affine", ((3, 4, 5),), (3, 4, 5)),
        Example("affine", ((4, 5),), (4, 5)),
        Example("affine", ((5, 5, 5),), (5, 5, 5)),
    )

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """`weight` and `bias`, each `(c, 1, 1)` for an image."""
        shape = _per_channel(inputs[0])
        return (
            Weight("weight", shape, Init.constant(1.0)),
            Weight("bias", shape, Init.constant(0.0)),
        )


def _as_numbers(value: Any) -> Any:
    """One number for all channels, or a list; whole numbers are numbers too."""
    values = value if isinstance(value, tuple | list) else (value,)
    return tuple(map(as_float, values))


_Numbers = Annotated[tuple[Number, ...], BeforeValidator(_as_numbers), Field(min_length=1)]


@register
class Normalize(_Affine):
    """(x - mean) / std of each channel, with numbers that are part of the network, in float32. Nothing is learned.

    `normalize [0.485, 0.456, 0.406] [0.229, 0.224, 0.225]` is what ImageNet's models expect.
    """

    kind = "normalize"
    accepts = ("vector", "sequence", "image", "volume")
    examples = (
        Example("normalize [0.5, 0.25, 0.1] [0.2, 0.3, 2]", ((3, 4, 5),), (3, 4, 5)),
        Example("normalize mean=[1, 2] std=0.5", ((4, 2),), (4, 2)),
        Example("normalize 0.5 0.25", ((3,),), (3,)),
        Example("normalize 0.1 0.3", ((2, 3, 2, 2),), (2, 3, 2, 2)),
    )

    mean: Annotated[
        _Numbers, Field(description="what is subtracted: one number, or one for each channel")
    ]
    std: Annotated[
        _Numbers, Field(description="what it is divided by: one number, or one for each channel")
    ]

    def infer(self, *inputs: Shape) -> Shape:
        """Unchanged."""
        channels = inputs[0].axis("c")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, channels):
                raise Rejected(
                    "wrong-count",
                    f"`{name}` has {len(values)} numbers for {channels} channels",
                    param=name,
                    help="give one for each channel, or one for all",
                )
        if 0 in self.std:
            raise Rejected("bad-argument", "`std` must not be 0", param="std")
        return inputs[0]

    def is_identity(self, *inputs: Shape) -> bool:
        """Of a mean of 0 and a deviation of 1."""
        del inputs
        return set(self.mean) == {0} and set(self.std) == {1}


@register
class Rescale(Op):
    """factor * x + offset: of pixels from 0 to 255, `rescale 1/255` and `rescale 1/127.5 (-1)`."""

    kind = "rescale"
    layout = "any"
    elementwise = True
    examples = (
        Example("rescale 0.25 (-1)", ((3, 4, 5),), (3, 4, 5)),
        Example("rescale 1/255", ((6,),), (6,)),
        Example("rescale 2 0.5", ((4, 5),), (4, 5)),
    )

    factor: Annotated[Number, Field(description="what every element is multiplied by")]
    offset: Annotated[Number, Field(description="what is added then")] = 0.0

    def infer(self, *inputs: Shape) -> Shape:
        """Unchanged."""
        return inputs[0]

    def macs(self, output: Shape, *inputs: Shape) -> int:
        """One per element."""
        del inputs
        return output.elements

    def is_identity(self, *inputs: Shape) -> bool:
        """By 1, of 0."""
        del inputs
        return (self.factor, self.offset) == (1, 0)
