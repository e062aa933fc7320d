"""What an op is: one frozen model with its shape rule, weights and cost. Knows nothing of text or frameworks."""

from typing import ClassVar, Literal, NamedTuple, Self, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict

from netspec.ops.initial import Init as Init
from netspec.shape import DType, Shape


class Rejected(Exception):
    """An op cannot be what it was asked to be. `param` names the argument; the caller knows its place."""

    def __init__(
        self,
        id: str,  # noqa: A002 (the words of a diagnostic)
        message: str,
        *,
        param: str | None = None,
        help: str | None = None,  # noqa: A002
        label: str = "",
    ) -> None:
        super().__init__(message)
        self.id = id
        self.message = message
        self.param = param
        self.help = help
        self.label = label


class Weight(NamedTuple):
    """A tensor that belongs to an op, in PyTorch's layout; one that is not trainable is a statistic.

    Its public name is its node's with its own behind a dot; with an empty name it is the node's alone.
    `chosen` tells that the spec asked for its `init`, which targets then write out.
    """

    name: str
    shape: tuple[int, ...]
    init: Init
    trainable: bool = True
    chosen: bool = False

    def starting(self, chosen: Init | None) -> "Weight":
        """The same weight, started as the spec asked where it did."""
        return self if chosen is None else self._replace(init=chosen, chosen=True)


class Example(NamedTuple):
    """A line of the language with this op and the shapes around it: documentation, test and fuzzing seed."""

    line: str
    inputs: tuple[tuple[int, ...], ...]
    output: tuple[int, ...]


Layout: TypeAlias = Literal["fixed", "any", "channels_first"]
"""What an op needs of the order in which a target holds a sequence (`passes/sequence_layout.py` has the rules):

`fixed`: the order of the spec, because the op acts on the last axis or reads the elements in their order;
`any`: none, because it acts on every element, or on axes by their names; it gives its input's order;
`channels_first`: the channels in front, because it moves windows or has statistics for each channel.
"""


class Traits:
    """What every op of a kind has in common: class variables that a declaration overrides."""

    kind: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    accepts: ClassVar[tuple[str, ...]] = ("vector", "sequence", "image", "volume", "tensor")
    accepts_beside: ClassVar[tuple[str, ...] | None] = None
    """The kinds of the branches behind the first, where they are others."""
    beside: ClassVar[str | None] = None
    """What the second branch is, where it is not one of several alike: the word for it in messages and code."""
    dtypes: ClassVar[tuple[DType, ...]] = ("float",)
    merges: ClassVar[bool] = False
    borrows: ClassVar[bool] = False
    ties: ClassVar[Literal["outputs", "inputs"] | None] = None
    variadic: ClassVar[str | None] = None
    named_axes: ClassVar[bool] = False
    naming: ClassVar[str | None] = None
    """The field that takes the keywords which name no field, as (name, value) pairs: sizes of axes."""
    layout: ClassVar[Layout] = "fixed"
    batchless: ClassVar[bool] = False
    """Whether the result is the same for every example."""
    spreads: ClassVar[bool] = False
    """Whether targets spread an input that lacks the batch axis over the examples of the others."""
    elementwise: ClassVar[bool] = False
    """Whether an element of the result depends on the element in its place alone, and on no weight."""
    positionwise: ClassVar[bool] = False
    """Whether, where the features are the last axis of all tensors, those of each position are mapped alone."""
    scheduled: ClassVar[str | None] = None
    """The field whose value may be a schedule over all ops of this kind in the net."""
    examples: ClassVar[tuple[Example, ...]] = ()


_TRAITS = frozenset(Traits.__annotations__)
# For each model pydantic evaluates the annotations of all its bases: these would take a third of the time
# in which the classes of the ops are made.
Traits.__annotations__ = {}


class Op(Traits, BaseModel):
    """A layer with its arguments. The order of the fields is the positional order in the language.

    An op that `borrows` has no weights of its own: it works with some of those of another kind of op.
    `ties` says what the rows of the weight of an op are to `tied`: its outputs, or its inputs.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)

    def accepted(self, place: int) -> tuple[str, ...]:
        """The kinds of tensors that the op takes as its input of that number."""
        return self.accepts if place == 0 or self.accepts_beside is None else self.accepts_beside

    @property
    def tokens(self) -> int | None:
        """What the whole numbers that the op looks up stay below, or None where it looks none up."""
        return None

    def settle(self, *inputs: Shape) -> Self:
        """The op with whatever depends on its inputs written out: per-axis sizes, explicit padding."""
        del inputs
        return self

    def prelude(self, *inputs: Shape) -> "Op | None":
        """An op that must come before this one for inputs of these shapes, or None."""
        del inputs
        return None

    def sequel(self, output: Shape) -> "Op | None":
        """An op that must come after this one for an output of this shape, or None."""
        del output
        return None

    def deterministic(self) -> "Op":
        """The op without chance: itself, unless it drops something."""
        return self

    def always_on(self) -> "Op":
        """The op with its chance at inference too (Monte Carlo dropout): itself, unless it drops something."""
        return self

    @property
    def is_random(self) -> bool:
        """Whether it draws numbers at inference, so that twice the same is not the same."""
        return self.always_on() == self != self.deterministic()

    @property
    def is_positionwise(self) -> bool:
        """Whether at inference it does to a `t c` what it does to the vectors in it, one by one.

        So it does to any tensor whose last axis are the features, of which all inputs have the same others.
        """
        return self.elementwise or self.positionwise

    def is_identity(self, *inputs: Shape) -> bool:
        """Whether a settled op gives at inference just what it is given, whatever weights it has."""
        del inputs
        return False

    def infer(self, *inputs: Shape) -> Shape:
        """The output's shape, for a settled op; raises `Rejected` where there is none."""
        raise NotImplementedError

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """The tensors that the op owns, in the order of a PyTorch `state_dict`."""
        del inputs
        return ()

    def macs(self, output: Shape, *inputs: Shape) -> int:
        """Multiply-adds for one example."""
        del output, inputs
        return 0


Op.__class_vars__ |= _TRAITS  # assigning one in a declaration makes no field of it


class Parting(Op):
    """Makes several tensors of one. It is no node: its `parts` are."""

    def parts(self, x: Shape) -> "tuple[Op, ...]":
        """The ops that give its results, in order. Raises `Rejected` where the tensor cannot be parted so."""
        raise NotImplementedError


REGISTRY: dict[str, type[Op]] = {}
"""The ops whose families are imported, by name and alias; `netspec.ops.find` imports what is missing."""


AnyOpClass = TypeVar("AnyOpClass", bound=type[Op])


def register(op: AnyOpClass) -> AnyOpClass:
    """Make an op known to the language under its kind and aliases."""
    for name in (op.kind, *op.aliases):
        assert name not in REGISTRY, f"two ops are called {name}"
        REGISTRY[name] = op
    return op
