"""Attention: with learned projections, and bare."""

from math import prod
from typing import TYPE_CHECKING, Annotated, NamedTuple, Self

from pydantic import Field

from netspec.dim import below
from netspec.ops.base import Example, Init, Op, Rejected, Weight, register
from netspec.ops.fields import BiasInitial, Count, Initial, Number, Rate
from netspec.ops.rotary import turns
from netspec.shape import Shape


class Roles(NamedTuple):
    """Which of an op's inputs are the query, the key, the value, and the mask, if any."""

    query: int
    key: int
    value: int
    mask: int | None


class _Attention(Op):
    """Takes `t c`, or windows `... t c` that do not see one another; the branches are query, key and value."""

    accepts = ("sequence", "tensor")
    merges = True

    if TYPE_CHECKING:  # declared by each op, at its place among the arguments
        causal: bool
        mask: bool

    def roles(self, count: int) -> Roles:
        """One branch is all three; of two the second is key and value."""
        given = count - self.mask
        if not 1 <= given <= 3:
            help_ = f"write `{self.kind} ... {{ query | key | value }}`"
            if self.mask:
                help_ = help_.replace(" }", " | mask }")
            raise Rejected(
                "wrong-branches",
                f"`{self.kind}` takes one to three branches"
                f"{' and a mask' if self.mask else ''}, got {count}",
                help=help_,
            )
        return Roles(0, min(1, given - 1), given - 1, count - 1 if self.mask else None)

    def _check(self, *inputs: Shape) -> None:
        """What holds for the shapes of all attention."""
        roles = self.roles(len(inputs))
        query, key, value = (inputs[i] for i in roles[:3])
        for shape in (query, key, value):
            if shape.axes[-2:] != "tc" or shape.axes[:-2] != query.axes[:-2]:
                raise Rejected(
                    "unequal-branches",
                    f"`{self.kind}` takes sequences `t c`, or windows of them, "
                    f"not {query} ({' '.join(query.axes)}) with {shape} ({' '.join(shape.axes)})",
                    help="`tokens` makes a sequence of an image",
                )
            if shape.sizes[:-2] != query.sizes[:-2]:
                raise Rejected(
                    "unequal-branches",
                    f"`{self.kind}` needs as many windows in every branch: {query} and {shape}",
                )
        if key.axis("t") != value.axis("t"):
            raise Rejected(
                "unequal-branches",
                f"`{self.kind}` needs a value for each key: "
                f"there are {key.axis('t')} keys and {value.axis('t')} values",
            )

    def _check_mask(self, heads: int, *inputs: Shape) -> None:
        roles = self.roles(len(inputs))
        if roles.mask is None:
            return
        query, key, mask = inputs[roles.query], inputs[roles.key], inputs[roles.mask].sizes
        whole = (*query.sizes[:-2], heads, query.axis("t"), key.axis("t"))
        if len(mask) < 2 or mask != whole[-len(mask) :]:
            raise Rejected(
                "unequal-branches",
                f"the mask is {' x '.join(map(str, mask))}, and the scores are "
                f"{' x '.join(map(str, whole))} (heads, queries, keys)",
                help="a mask has the last two axes of the scores, or more of them",
            )

    def mask_gap(self, *shapes: Shape) -> int:
        """How many axes of the scores the mask lacks behind the batch."""
        roles = self.roles(len(shapes))
        assert roles.mask is not None
        return len(shapes[0].sizes) + 1 - len(shapes[roles.mask].sizes)


@register
class Attention(_Attention):
    """Multi-head attention (Vaswani et al., 2017): `softmax(q k^T * scale) v` in each head, between learned maps.

    `attention 8` looks from the current sequence at itself, `attention 8 { @ | @memory }` at another one.
    Windows `n t c` attend within each window. With `kv_heads` several heads share a key and a value (Ainslie
    et al., 2023). `rotary` turns queries and keys by their positions (Su et al., 2021), a head's first half
    against its second, as in Llama. A causal step sees the steps up to its own number. The weights are those
    of PyTorch's `nn.MultiheadAttention`.
    """

    kind = "attention"
    aliases = ("mha",)
    examples = (
        Example("attention 2 dropout=0.1", ((5, 6),), (5, 6)),
        Example("attention 3 causal=true bias=false", ((4, 6),), (4, 6)),
        Example("attention 4 kv_heads=2 head_dim=6 init=normal(0.2)", ((5, 8),), (5, 8)),
        Example("attention 4 causal=true kv_heads=2 rotary=true bias=false", ((5, 16),), (5, 16)),
        Example("attention 2 dropout=0.5 always=true { @a | @b }", ((4, 6), (5, 6)), (4, 6)),
        Example("attention 2 rotary=true { @a | @b | @c }", ((4, 8), (5, 3), (5, 7)), (4, 8)),
        Example("attention 2 { @a | @b | @c }", ((4, 6), (5, 3), (5, 7)), (4, 6)),
        Example("attention 4 mask=true { @a | @b }", ((4, 4), (4, 4)), (4, 4)),
        Example("attention 2 causal=true mask=true { @a | @b }", ((3, 4), (3, 3)), (3, 4)),
        Example("attention 2 init=orthogonal()", ((3, 4),), (3, 4)),
    )

    heads: Annotated[Count, Field(description="heads of the query")]
    causal: Annotated[
        bool, Field(description="whether a step sees itself and earlier ones only")
    ] = False
    bias: Annotated[bool, Field(description="whether the maps add biases")] = True
    dropout: Annotated[Rate, Field(description="share of the weights that training drops")] = 0.0
    kv_heads: Annotated[
        Count | None, Field(description="heads of key and value; as many as `heads` if not given")
    ] = None
    head_dim: Annotated[
        Count | None, Field(description="features of a head; `c / heads` if not given")
    ] = None
    rotary: Annotated[bool, Field(description="whether positions turn queries and keys")] = False
    base: Annotated[
        Number, Field(gt=1, description="the slowest turn of `rotary` takes this many times 2 pi")
    ] = 10000.0
    scale: Annotated[
        Number | None,
        Field(gt=0, description="factor of the scores; `head_dim**-0.5` if not given"),
    ] = None
    mask: Annotated[bool, Field(description="whether the last branch is added to the scores")] = (
        False
    )
    init: Initial = None
    bias_init: BiasInitial = None
    always: Annotated[bool, Field(description="whether `dropout` acts at inference too")] = False

    def deterministic(self) -> Self:
        """Without dropout."""
        return self.model_copy(update={"dropout": 0.0, "always": False})

    def always_on(self) -> Self:
        """Dropping at inference too."""
        return self.model_copy(update={"always": True})

    @property
    def samples(self) -> bool:
        """Whether inference drops some of the weights."""
        return self.always and self.dropout > 0

    def settle(self, *inputs: Shape) -> Self:
        """Heads, their features and the scale as numbers."""
        width = inputs[0].axis("c") if "c" in inputs[0].axes else self.heads
        if self.head_dim is None and width % self.heads:
            raise Rejected(
                "indivisible-heads",
                f"{width} features cannot be split into {self.heads} heads",
                param="heads",
                help="choose `heads` so that it divides the features, or give `head_dim`",
            )
        head_dim = self.head_dim or width // self.heads
        kv_heads = self.kv_heads or self.heads
        if self.heads % kv_heads:
            raise Rejected(
                "indivisible-heads",
                f"{self.heads} heads cannot share {kv_heads} keys and values evenly",
                param="kv_heads",
                help="choose `kv_heads` so that it divides `heads`",
            )
        if self.rotary and head_dim % 2:
            raise Rejected(
                "indivisible-heads",
                f"`rotary` needs an even number of features in each head, not {head_dim}",
                param="rotary",
            )
        scale = float(head_dim) ** -0.5 if self.scale is None else self.scale
        update = {"head_dim": head_dim, "kv_heads": kv_heads, "scale": scale}
        return self.model_copy(update=update)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Heads, heads of key and value, and features of each; of a settled op."""
        assert self.kv_heads is not None
        assert self.head_dim is not None
        return self.heads, self.kv_heads, self.head_dim

    @property
    def widths(self) -> tuple[int, int, int]:
        """Features of all queries, keys and values together; of a settled op."""
        heads, kv_heads, head_dim = self.sizes
        return heads * head_dim, kv_heads * head_dim, kv_heads * head_dim

    @property
    def factor(self) -> float:
        """The factor of the scores, of a settled op."""
        assert self.scale is not None
        return self.scale

    @property
    def is_plain(self) -> bool:
        """Whether queries are scaled as is usual, and neither turned nor masked."""
        return not self.rotary and not self.mask and self.factor == float(self.sizes[2]) ** -0.5

    def is_packed(self, *inputs: Shape) -> bool:
        """Whether one weight maps to queries, keys and values: where all come from as many features."""
        roles = self.roles(len(inputs))
        return len({inputs[i].axis("c") for i in roles[:3]}) == 1

    def turns(self, length: int) -> list[list[float]]:
        """The angles by which `rotary` turns each position, one for each pair of features."""
        return turns(length, self.sizes[2], self.base)

    def infer(self, *inputs: Shape) -> Shape:
        """The query's shape."""
        self._check(*inputs)
        self._check_mask(self.heads, *inputs)
        return inputs[0]

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """`in_proj_weight`, all rows of query, key and value, or one weight for each; the biases; `out_proj`."""
        roles, widths = self.roles(len(inputs)), self.widths
        features = [inputs[i].axis("c") for i in roles[:3]]
        start = Init(rule="xavier_uniform")
        if self.is_packed(*inputs):
            shapes = {"in_proj_weight": (sum(widths), features[0])}
        else:
            names = ("q_proj_weight", "k_proj_weight", "v_proj_weight")
            shapes = dict(zip(names, zip(widths, features, strict=True), strict=True))
        found = [Weight(n, shape, start).starting(self.init) for n, shape in shapes.items()]
        zero = Init.constant(0)
        if self.bias:
            found.append(Weight("in_proj_bias", (sum(widths),), zero).starting(self.bias_init))
        output = Weight("out_proj.weight", (features[0], widths[0]), Init.fan_in(widths[0]))
        found.append(output.starting(self.init))
        if self.bias:
            found.append(Weight("out_proj.bias", (features[0],), zero).starting(self.bias_init))
        return tuple(found)

    def macs(self, output: Shape, *inputs: Shape) -> int:
        """The maps, the scores, and the weighted sums."""
        roles, widths = self.roles(len(inputs)), self.widths
        maps = sum(inputs[i].elements * w for i, w in zip(roles[:3], widths, strict=True))
        pairs = prod(output.sizes[:-1]) * inputs[roles.key].axis("t")
        return maps + 2 * pairs * widths[0] + output.elements * widths[0]


@register
class ScaledDotProduct(_Attention):
    """Attention without maps of its own: `softmax(q k^T * scale) v`, the features split among `heads`.

    Keys and values may have fewer heads than the queries, by their features.
    """

    kind = "sdpa"
    aliases = ("scaled_dot_product_attention",)
    examples = (
        Example("sdpa 2 { @a | @b | @c }", ((4, 6), (5, 6), (5, 6)), (4, 6)),
        Example("sdpa 4 causal=true { @a | @b }", ((4, 8), (4, 4)), (4, 8)),
        Example("sdpa scale=0.5 mask=true { @a | @b }", ((3, 4), (3, 3)), (3, 4)),
        Example(
            "sdpa 2 causal=true mask=true { @a | @b | @b | @c }", ((3, 4), (5, 4), (3, 5)), (3, 4)
        ),
    )

    heads: Annotated[Count, Field(description="heads of the query")] = 1
    causal: Annotated[
        bool, Field(description="whether a step sees itself and earlier ones only")
    ] = False
    scale: Annotated[
        Number | None,
        Field(gt=0, description="factor of the scores; `head_dim**-0.5` if not given"),
    ] = None
    mask: Annotated[bool, Field(description="whether the last branch is added to the scores")] = (
        False
    )

    def settle(self, *inputs: Shape) -> Self:
        """The scale as a number."""
        if self.scale is not None or "c" not in inputs[0].axes:
            return self
        head_dim = max(inputs[0].axis("c") // self.heads, 1)
        return self.model_copy(update={"scale": float(head_dim) ** -0.5})

    def split(self, *inputs: Shape) -> tuple[int, int, int]:
        """Heads, heads of key and value, and features of each."""
        head_dim = inputs[0].axis("c") // self.heads
        return self.heads, inputs[self.roles(len(inputs)).key].axis("c") // head_dim, head_dim

    @property
    def factor(self) -> float:
        """The factor of the scores, of a settled op."""
        assert self.scale is not None
        return self.scale

    def infer(self, *inputs: Shape) -> Shape:
        """The query's shape."""
        self._check(*inputs)
        roles = self.roles(len(inputs))
        query, key, value = (inputs[i].axis("c") for i in roles[:3])
        head_dim = query // self.heads
        if query % self.heads or below(key, head_dim) or key % head_dim or key != value:
            raise Rejected(
                "indivisible-heads",
                f"{query} features of queries, {key} of keys and {value} of values "
                f"cannot be split into heads, {self.heads} of them for the queries",
                param="heads",
                help="heads have `c / heads` features; keys and values have as many of them, or a part",
            )
        if self.heads % (key // head_dim):
            raise Rejected(
                "indivisible-heads",
                f"{self.heads} heads cannot share {key // head_dim} keys and values evenly",
                param="heads",
            )
        self._check_mask(self.heads, *inputs)
        return inputs[0]

    def macs(self, output: Shape, *inputs: Shape) -> int:
        """The scores and the weighted sums."""
        return 2 * output.elements * inputs[self.roles(len(inputs)).key].axis("t")
