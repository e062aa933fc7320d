"""What an emitted file brings along where PyTorch has nothing that means what the spec means."""

from __future__ import annotations

from netspec.backends.torch.attention_source import ATTENTION
from netspec.backends.torch.positions_source import POSITIONS
from netspec.backends.torch.window_source import WINDOWS

_ONE_BIAS = '''\
def one_bias(layer: nn.RNNBase) -> nn.RNNBase:
    """Hold the second bias at zero: learned too, it would double the first one's learning rate."""
    for name, parameter in layer.named_parameters():
        if name.startswith("bias_hh"):
            nn.init.zeros_(parameter).requires_grad_(False)
    return layer
'''

_HIDDEN_AND_CELL = '''\
def hidden_and_cell(state: Tensor, units: int) -> tuple[Tensor, Tensor]:
    """The first states of an LSTM, each (layers, N, units), from (N, 2 * layers * units)."""
    h, c = state.unflatten(1, (2, -1, units)).permute(1, 2, 0, 3).contiguous().unbind()
    return h, c
'''

_REGLU = '''\
class ReGLU(nn.Module):
    """The second half of the features, through ReLU, gates the first."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        value, gate = x.chunk(2, dim=self.dim)
        return value * F.relu(gate)
'''

_GEGLU = '''\
class GEGLU(nn.Module):
    """The second half of the features, through GELU, gates the first."""

    def __init__(self, dim: int, approximate: str = "none") -> None:
        super().__init__()
        self.dim = dim
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        value, gate = x.chunk(2, dim=self.dim)
        return value * F.gelu(gate, approximate=self.approximate)
'''

_SWIGLU = '''\
class SwiGLU(nn.Module):
    """The first half of the features, through SiLU, gates the second."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        gate, value = x.chunk(2, dim=self.dim)
        return F.silu(gate) * value
'''

_SAME_PADDING = '''\
def same_padding(x: Tensor, window: list[int], stride: list[int]) -> list[int]:
    """Padding for `F.pad` that gives every stride a window; an odd element goes to the end."""
    padding: list[int] = []
    for axis in range(1, len(window) + 1):
        covered = (x.shape[-axis] - 1) % stride[-axis] + 1
        total = max(window[-axis] - covered, 0)
        padding += [total // 2, total - total // 2]
    return padding
'''

_CAUSAL_CONV = '''\
class CausalConv1d(nn.Conv1d):
    """Convolution over time that is padded with the past: no window sees what comes later."""

    def forward(self, x: Tensor) -> Tensor:
        past = self.dilation[0] * (self.kernel_size[0] - 1)
        return self._conv_forward(F.pad(x, (past, 0)), self.weight, self.bias)
'''

_LAYER_NORM = '''\
class LayerNorm{rank}d(nn.LayerNorm):
    """Layer norm over the channels at each position."""

    def forward(self, x: Tensor) -> Tensor:
        x = x.movedim(1, -1)
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.movedim(-1, 1)
'''

_PERMUTE = '''\
class Permute(nn.Module):
    """Axes in another order; the batch is axis 0."""

    def __init__(self, dims: tuple[int, ...]) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(self.dims)
'''

_SINUSOIDAL = '''\
class SinusoidalPositions(nn.Module):
    """Adds sines and cosines of the position (Vaswani et al., 2017)."""

    def __init__(self, length: int, features: int, base: float = 10000.0) -> None:
        super().__init__()
        rates = base ** -(torch.arange(0, features, 2).double() / features)
        angles = torch.arange(length).double()[:, None] * rates
        table = torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
        self.table = nn.Buffer(table[:, :features].float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.table
'''

_WS_CONV = '''\
class WSConv{rank}d(nn.Conv{rank}d):
    """Convolution whose weights are standardised: every filter has mean 0 and variance 1."""

    def __init__(
        self,
        *args: int | tuple[int, ...],
        eps: float = 1e-5,
        **kwargs: bool | int | str | tuple[int, ...],
    ) -> None:
        super().__init__(*args, **kwargs)
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        dims = {dims}
        var, mean = torch.var_mean(self.weight, dims, correction=0, keepdim=True)
        weight = (self.weight - mean) * torch.rsqrt(var + self.eps)
        return self._conv_forward(x, weight, self.bias)
'''

_DROP_PATH = '''\
class DropPath(nn.Module):
    """Stochastic depth: in training each example is dropped with probability p."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        kept = x.new_ones([x.shape[0]] + [1] * (x.dim() - 1))
        return x * F.dropout(kept, self.p)
'''

_MC_DROPOUT = '''\
class MC{name}(nn.{name}):
    """Dropout that stays on in `eval` mode (Gal & Ghahramani, 2016)."""

    def forward(self, x: Tensor) -> Tensor:
        return F.{function}(x, self.p, training=True)
'''

_MC_DROP_PATH = '''\
class MCDropPath(nn.Module):
    """Stochastic depth that stays on in `eval` mode: each example is dropped with probability p."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        kept = x.new_ones([x.shape[0]] + [1] * (x.dim() - 1))
        return x * F.dropout(kept, self.p, training=True)
'''

_AFFINE = '''\
class Affine(nn.Module):
    """A learned factor and a learned summand for each channel."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(shape))
        self.bias = nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight + self.bias
'''

_NORMALIZE = '''\
class Normalize(nn.Module):
    """Normalises each channel by given numbers; `ndim` axes stand behind the channels."""

    def __init__(
        self, mean: tuple[float, ...], std: tuple[float, ...], *, ndim: int
    ) -> None:
        super().__init__()
        shape = (-1, *(1,) * ndim)
        self.mean = nn.Buffer(torch.tensor(mean).reshape(shape), persistent=False)
        self.std = nn.Buffer(torch.tensor(std).reshape(shape), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std
'''

SOURCES = {
    "same_padding": _SAME_PADDING,
    "one_bias": _ONE_BIAS,
    "hidden_and_cell": _HIDDEN_AND_CELL,
    "CausalConv1d": _CAUSAL_CONV,
    **{
        f"WSConv{rank}d": _WS_CONV.format(rank=rank, dims=tuple(range(1, 2 + rank)))
        for rank in (1, 2, 3)
    },
    "Affine": _AFFINE,
    "Normalize": _NORMALIZE,
    "DropPath": _DROP_PATH,
    **{
        f"MC{name}": _MC_DROPOUT.format(name=name, function=function)
        for name, function in {
            "Dropout": "dropout",
            "Dropout1d": "dropout1d",
            "Dropout2d": "dropout2d",
            "Dropout3d": "dropout3d",
            "AlphaDropout": "alpha_dropout",
        }.items()
    },
    "MCDropPath": _MC_DROP_PATH,
    "ReGLU": _REGLU,
    "GEGLU": _GEGLU,
    "SwiGLU": _SWIGLU,
    **{f"LayerNorm{rank}d": _LAYER_NORM.format(rank=rank) for rank in (2, 3)},
    "Permute": _PERMUTE,
    "SinusoidalPositions": _SINUSOIDAL,
    **POSITIONS,
    **ATTENTION,
    **WINDOWS,
}
