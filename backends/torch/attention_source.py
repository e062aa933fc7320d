"""The classes of attention that an emitted PyTorch file brings along, put together from what they share."""

from __future__ import annotations

from itertools import product

_CLASS = '''\
class {name}(nn.Module):
    """{words}; its weights are called as those of nn.MultiheadAttention.{more}"""

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        *,
{arguments}
        kv_heads: int | None = None,
        head_dim: int | None = None,
        bias: bool = True,
        dropout: float = 0.0,
        causal: bool = False,
        scale: float | None = None,
    ) -> None:
        super().__init__()
        kv_heads = kv_heads or num_heads
        self.heads = [num_heads, kv_heads, kv_heads]
        self.head_dim = head_dim or embed_dim // num_heads
        self.dropout = dropout
        self.causal = causal
        self.scale = scale
        rows = [heads * self.head_dim for heads in self.heads]
{weights}
        self.in_proj_bias = nn.Parameter(torch.zeros(sum(rows))) if bias else None
        self.out_proj = nn.Linear(rows[0], embed_dim, bias=bias)
        if bias:
            nn.init.zeros_(self.out_proj.bias)
{tables}
{forward}
        x = F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=mask,
            dropout_p={rate},
            is_causal=self.causal,
            scale=self.scale,
            enable_gqa=q.shape[-3] != k.shape[-3],
        )
        return self.out_proj(x.transpose(-3, -2).flatten(-2))
{turn}'''

_ALWAYS = """

    Its dropout stays on in `eval` mode (Gal & Ghahramani, 2016).
    """

_PACKED = """\
        self.in_proj_weight = nn.Parameter(torch.empty(sum(rows), embed_dim))
        nn.init.xavier_uniform_(self.in_proj_weight)"""

_SEPARATE = """\
        self.rows = rows
        if kdim is None and vdim is None:
            self.in_proj_weight = nn.Parameter(torch.empty(sum(rows), embed_dim))
            nn.init.xavier_uniform_(self.in_proj_weight)
        else:
            self.in_proj_weight = None
            self.q_proj_weight = nn.Parameter(torch.empty(rows[0], embed_dim))
            self.k_proj_weight = nn.Parameter(torch.empty(rows[1], kdim or embed_dim))
            self.v_proj_weight = nn.Parameter(torch.empty(rows[2], vdim or embed_dim))
            for weight in (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
                nn.init.xavier_uniform_(weight)"""

_SELF = """
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = F.linear(x, self.in_proj_weight, self.in_proj_bias)
        x = x.unflatten(-1, (-1, self.head_dim)).transpose(-3, -2)
        q, k, v = x.split(self.heads, dim=-3)"""

_CROSS = """
    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        if self.in_proj_weight is None:
            q = F.linear(query, self.q_proj_weight)
            k = F.linear(key, self.k_proj_weight)
            v = F.linear(value, self.v_proj_weight)
        else:
            q_weight, k_weight, v_weight = self.in_proj_weight.split(self.rows)
            q = F.linear(query, q_weight)
            k = F.linear(key, k_weight)
            v = F.linear(value, v_weight)
        if self.in_proj_bias is not None:
            q_bias, k_bias, v_bias = self.in_proj_bias.split(self.rows)
            q, k, v = q + q_bias, k + k_bias, v + v_bias
        q = q.unflatten(-1, (-1, self.head_dim)).transpose(-3, -2)
        k = k.unflatten(-1, (-1, self.head_dim)).transpose(-3, -2)
        v = v.unflatten(-1, (-1, self.head_dim)).transpose(-3, -2)"""

_TABLES = """
        half = self.head_dim // 2
        rates = base ** -(torch.arange(half).double() / half)
        angles = torch.arange(length).double()[:, None] * rates
        self.cos = nn.Buffer(angles.cos().float(), persistent=False)
        self.sin = nn.Buffer(angles.sin().float(), persistent=False)
"""

_TURN = '''\

    def turn(self, x: Tensor) -> Tensor:
        """Turn each pair of features by its position (Su et al., 2021)."""
        low, high = x.chunk(2, dim=-1)
        cos, sin = self.cos[: x.shape[-2]], self.sin[: x.shape[-2]]
        return torch.cat([low * cos - high * sin, high * cos + low * sin], dim=-1)
'''


def _source(rotary: bool, cross: bool, always: bool) -> tuple[str, str]:
    """The name and the text of one class, which may be `always` dropping."""
    kind = f"{'MC' if always else ''}{'Rotary' if rotary else ''}"
    name = f"{kind}{'Cross' if cross else 'Self'}Attention"
    arguments = []
    if rotary:
        arguments += ["length: int,", "base: float = 10000.0,"]
    if cross:
        arguments += ["kdim: int | None = None,", "vdim: int | None = None,"]
    words = f"Attention of a sequence to {'another' if cross else 'itself'}"
    text = _CLASS.format(
        name=name,
        words=f"{words}, by turned positions" if rotary else words,
        arguments="\n".join(f"        {each}" for each in arguments),
        weights=_SEPARATE if cross else _PACKED,
        tables=_TABLES if rotary else "",
        more=_ALWAYS if always else "",
        rate="self.dropout" if always else "self.dropout if self.training else 0.0",
        forward=(_CROSS if cross else _SELF)
        + ("\n        q, k = self.turn(q), self.turn(k)" if rotary else ""),
        turn=_TURN if rotary else "",
    )
    return name, text.replace("*,\n\n", "*,\n").replace("\n\n\n", "\n\n")


_HIDE_LATER = '''\
def hide_later(mask: Tensor) -> Tensor:
    """Minus infinity for each key behind its query, elsewhere the mask."""
    steps = [torch.arange(size, device=mask.device) for size in mask.shape[-2:]]
    return mask.masked_fill(steps[1] > steps[0][:, None], -torch.inf)
'''

ATTENTION = {
    "hide_later": _HIDE_LATER,
    **dict(_source(*chosen) for chosen in product((False, True), repeat=3)),
}
"""Sources of the function and the classes, by name."""
