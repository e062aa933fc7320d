"""Classes that an emitted file brings along where PyTorch has no module that means what the spec means."""

from __future__ import annotations

_ONE_BIAS = '''\
class {name}(nn.{name}):
    """PyTorch's layer with one bias: a second would double the learning rate of the first."""

    def __init__(self, *args: int, **kwargs: int | bool | str) -> None:
        super().__init__(*args, **kwargs)
        for name, parameter in self.named_parameters():
            if name.startswith("bias_hh"):
                nn.init.zeros_(parameter).requires_grad_(False)
'''

SOURCES = {name: _ONE_BIAS.format(name=name) for name in ("LSTM", "RNN")}
