"""The classes of an emitted PyTorch file that know where the steps of a sequence stand."""

from __future__ import annotations

_ROTARY = '''\
class Rotary(nn.Module):
    """Turns the features of each head in pairs by the step's position (Su et al., 2021)."""

    def __init__(
        self,
        length: int,
        head_dim: int,
        *,
        features: int | None = None,
        base: float = 10000.0,
    ) -> None:
        super().__init__()
        self.head_dim = head_dim
        half = (features or head_dim) // 2
        self.sizes = [half, half, head_dim - 2 * half]
        rates = base ** -(torch.arange(half).double() / half)
        angles = torch.arange(length).double()[:, None, None] * rates
        self.cos = nn.Buffer(angles.cos().float(), persistent=False)
        self.sin = nn.Buffer(angles.sin().float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        cos, sin = self.cos[: x.shape[1]], self.sin[: x.shape[1]]
        x = x.unflatten(-1, (-1, self.head_dim))
        low, high, rest = x.split(self.sizes, dim=-1)
        turned = [low * cos - high * sin, high * cos + low * sin, rest]
        return torch.cat(turned, dim=-1).flatten(-2)
'''

_RELATIVE_BIAS = '''\
class RelativeBias(nn.Embedding):
    """A learned number for each head and each bucket of ways from query to key.

    Near ones have a bucket each, farther ones share some (Raffel et al., 2020).
    """

    def __init__(
        self, buckets: int, heads: int, *, distance: int = 128, causal: bool = False
    ) -> None:
        super().__init__(buckets, heads)
        self.distance = distance
        ways = torch.arange(-distance, distance + 1)
        far = -ways.clamp(max=0) if causal else ways.abs()
        count = buckets if causal else buckets // 2
        near = count // 2
        bucket = far.clamp(max=near)
        for step in range(1, count - near):
            limit = near * (distance / near) ** (step / (count - near))
            bucket = bucket + (far >= limit - 1e-9)
        if not causal:
            bucket = bucket + count * (ways > 0)
        self.bucket = nn.Buffer(bucket, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        steps = torch.arange(x.shape[1], device=x.device)
        ways = (steps - steps[:, None]).clamp(-self.distance, self.distance)
        bias = F.embedding(self.bucket[ways + self.distance], self.weight)
        return bias.movedim(-1, 0).expand(x.shape[0], -1, -1, -1)
'''

POSITIONS = {"Rotary": _ROTARY, "RelativeBias": _RELATIVE_BIAS}
"""Sources, by name."""
