"""Recurrent layers over sequences."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field

from netspec.ops.base import Example, Init, Op, Rejected, Weight, register
from netspec.ops.fields import Count
from netspec.shape import Shape


class Cell(NamedTuple):
    """One direction of one layer: the end of its weights' names, and the features that it reads."""

    suffix: str
    features: int
    reverse: bool


class Recurrent(Op):
    """What recurrent layers share. Weights have PyTorch's names and gate order.

    The state starts at zero, or as a second branch says, and `last=state` gives the final one: PyTorch's
    `(layers * directions, units)` as a vector, that of `h` before that of `c` where there are both.

    A bidirectional layer reads the sequence from both ends and gives both states side by side. `last=true` gives
    what each direction of the top layer ends with in place of all steps: the reverse one with the first step.
    """

    accepts = ("sequence",)
    accepts_beside = ("vector",)
    beside = "state"
    merges = True
    gates: ClassVar[int]
    biases: ClassVar[tuple[str, ...]] = ("bias_ih",)
    tensors: ClassVar[tuple[str, ...]] = ("h",)
    """What the state of a cell consists of."""

    units: Annotated[Count, Field(description="features of the state")]
    layers: Annotated[
        Count, Field(le=1000, description="layers, each over the states of the one below")
    ] = 1
    bidirectional: Annotated[
        bool, Field(description="whether a second state runs from the end to the start")
    ] = False
    last: Annotated[
        bool | Literal["state"],
        Field(
            description="what the result is: each step, the last one, or the whole final `state`"
        ),
    ] = False

    def cells(self, features: int) -> Iterator[tuple[Cell, ...]]:
        """The directions of each layer, from the bottom, for an input of so many features."""
        for layer in range(self.layers):
            forward = Cell(f"l{layer}", features, reverse=False)
            backward = Cell(f"l{layer}_reverse", features, reverse=True)
            yield (forward, backward) if self.bidirectional else (forward,)
            features = self.width

    @property
    def width(self) -> int:
        """Features of a step's result: the states of all directions."""
        return self.units * (2 if self.bidirectional else 1)

    @property
    def runs(self) -> int:
        """Cells of all layers and directions."""
        return self.layers * (2 if self.bidirectional else 1)

    @property
    def state(self) -> int:
        """Features of the whole state."""
        return len(self.tensors) * self.runs * self.units

    def infer(self, *inputs: Shape) -> Shape:
        """`t c -> t width`, or `width` or `state` with `last`; the second input is the first state."""
        if len(inputs) > 2:
            raise Rejected(
                "wrong-branches",
                f"`{self.kind}` takes a sequence and a first state, got {len(inputs)} branches",
                help=f"write `{self.kind} {self.units} {{ sequence | state }}`",
            )
        x, *states = inputs
        if states and states[0].sizes != (self.state,):
            raise Rejected(
                "unequal-branches",
                f"the state of this `{self.kind}` is {self.state} numbers ({self._product()}), not {states[0]}",
                help=f"`last=state` gives it, `dense {self.state}` makes it of another vector",
            )
        if self.last == "state":
            return Shape.of(self.state)
        return Shape.of(self.width) if self.last else x.with_sizes(x.sizes[0], self.width)

    def _product(self) -> str:
        """How many numbers the state is, for a person."""
        factors = [f"{self.layers} layers"] if self.layers > 1 else []
        factors += ["2 directions"] if self.bidirectional else []
        return " x ".join([*factors, f"{self.units} units"]) + f", of {' and '.join(self.tensors)}"

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """For each cell `weight_ih (gates * units, c)`, `weight_hh (gates * units, units)` and biases."""
        init, rows = Init.fan_in(self.units), self.gates * self.units
        return tuple(
            weight
            for cells in self.cells(inputs[0].axis("c"))
            for cell in cells
            for weight in (
                Weight(f"weight_ih_{cell.suffix}", (rows, cell.features), init),
                Weight(f"weight_hh_{cell.suffix}", (rows, self.units), init),
                *(Weight(f"{bias}_{cell.suffix}", (rows,), init) for bias in self.biases),
            )
        )

    def macs(self, output: Shape, *inputs: Shape) -> int:
        """One per weight of a matrix and step."""
        del output
        matrices = (weight.shape for weight in self.weights(*inputs) if len(weight.shape) == 2)
        return inputs[0].sizes[0] * sum(rows * columns for rows, columns in matrices)


def _examples(kind: str, tensors: int = 1) -> tuple[Example, ...]:
    return (
        Example(f"{kind} 3", ((5, 4),), (5, 3)),
        Example(f"{kind} 3 last=true", ((5, 4),), (3,)),
        Example(f"{kind} 3 layers=2 bidirectional=true", ((4, 2),), (4, 6)),
        Example(f"{kind} 2 bidirectional=true last=true", ((4, 3),), (4,)),
        Example(f"{kind} 3 layers=2 last=true", ((1, 4),), (3,)),
        Example(f"{kind} 3 {{ @a | @b }}", ((5, 4), (3 * tensors,)), (5, 3)),
        Example(f"{kind} 3 last=true {{ @ | {kind} 3 last=state }}", ((4, 2),), (3,)),
        Example(
            f"{kind} 2 layers=2 bidirectional=true last=state {{ @ | take 0 -> dense {8 * tensors} }}",
            ((4, 3),),
            (8 * tensors,),
        ),
    )


@register
class Lstm(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997), with forget gates and one bias.

    PyTorch's gates: input, forget, cell, output. Its second bias stays zero: it would only double
    the learning rate of the first.

    `lstm 8 { @ | @state }` starts from a state, `last=state` gives the final one: a vector of `h` of the lowest
    layer, forward and, where it is bidirectional, reverse, of the layer above, and so on; then `c` in this order.
    """

    kind = "lstm"
    gates = 4
    tensors = ("h", "c")
    examples = _examples("lstm", tensors=2)


@register
class Gru(Recurrent):
    """Gated recurrent unit (Cho et al., 2014), the reset gate after the product, as in cuDNN.

    PyTorch's gates: reset, update, new.

    `gru 8 { @ | @state }` starts from a state, `last=state` gives the final one: a vector of the states of the
    lowest layer, forward and, where it is bidirectional, reverse, of the layer above, and so on.
    """

    kind = "gru"
    gates = 3
    biases = ("bias_ih", "bias_hh")
    examples = _examples("gru")


@register
class Rnn(Recurrent):
    """A plain recurrent layer (Elman, 1990): h' = act(W x + b + R h), with one bias.

    Its states are as those of a `gru`.
    """

    kind = "rnn"
    gates = 1
    examples = (*_examples("rnn"), Example("rnn 3 form=relu", ((5, 4),), (5, 3)))

    form: Annotated[
        Literal["tanh", "relu"], Field(description="the activation: `tanh` or `relu`")
    ] = "tanh"
