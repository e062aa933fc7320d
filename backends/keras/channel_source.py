"""What an emitted file brings along for norms, gates, scales and shifts of channels. Knows no op."""

from __future__ import annotations

_LOCAL_RESPONSE_NORM = '''\
def local_response_norm(
    x: KerasTensor, *, size: int, alpha: float, beta: float, k: float
) -> KerasTensor:
    """Each channel over a power of the squares of `size` channels around it."""
    margin, channels = size // 2, x.shape[-1]
    padding = [(0, 0)] * (len(x.shape) - 1) + [(margin, margin)]
    squares = ops.pad(ops.square(x), padding)
    total = sum(squares[..., first : first + channels] for first in range(size))
    return x / ops.power(k + alpha / size * total, beta)
'''

_REGLU = '''\
def reglu(x: KerasTensor, axis: int = -1) -> KerasTensor:
    """The second half of the features, through ReLU, gates the first."""
    value, gate = ops.split(x, 2, axis=axis)
    return value * ops.relu(gate)
'''

_GEGLU = '''\
def geglu(x: KerasTensor, axis: int = -1, *, approximate: bool = False) -> KerasTensor:
    """The second half of the features, through GELU, gates the first."""
    value, gate = ops.split(x, 2, axis=axis)
    return value * ops.gelu(gate, approximate=approximate)
'''

_SWIGLU = '''\
def swiglu(x: KerasTensor, axis: int = -1) -> KerasTensor:
    """The first half of the features, through SiLU, gates the second."""
    gate, value = ops.split(x, 2, axis=axis)
    return ops.silu(gate) * value
'''

_LEARNED = '''\
@keras.saving.register_keras_serializable(package="netspec")
class {name}(layers.Layer):
    """A learned {what} for each channel, along the last axis."""

    def __init__(self, *, initializer="{initializer}", **kwargs):
        super().__init__(**kwargs)
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape):
        self.{variable} = self.add_weight(input_shape[-1:], self.initializer, name="{variable}")

    def call(self, inputs):
        return inputs {operator} self.{variable}

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        initializer = keras.initializers.serialize(self.initializer)
        return {{**super().get_config(), "initializer": initializer}}
'''

_AFFINE = '''\
@keras.saving.register_keras_serializable(package="netspec")
class Affine(layers.Layer):
    """A learned factor and a learned summand for each channel, along the last axis."""

    def build(self, input_shape):
        shape = input_shape[-1:]
        self.weight = self.add_weight(shape, "ones", name="weight")
        self.bias = self.add_weight(shape, "zeros", name="bias")

    def call(self, inputs):
        return inputs * self.weight + self.bias

    def compute_output_shape(self, input_shape):
        return input_shape
'''

_NORMALIZE = '''\
@keras.saving.register_keras_serializable(package="netspec")
class Normalize(layers.Layer):
    """Normalises each channel, along the last axis, by given numbers."""

    def __init__(self, mean, std, **kwargs):
        super().__init__(**kwargs)
        self.mean = mean
        self.std = std

    def call(self, inputs):
        mean, std = (
            ops.cast(ops.convert_to_tensor(values, "float32"), inputs.dtype)
            for values in (self.mean, self.std)
        )
        return (inputs - mean) / std

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "mean": self.mean, "std": self.std}
'''

CHANNELWISE = {
    "local_response_norm": _LOCAL_RESPONSE_NORM,
    "reglu": _REGLU,
    "geglu": _GEGLU,
    "swiglu": _SWIGLU,
    "Scale": _LEARNED.format(
        name="Scale", what="factor", initializer="ones", variable="weight", operator="*"
    ),
    "Shift": _LEARNED.format(
        name="Shift", what="summand", initializer="zeros", variable="bias", operator="+"
    ),
    "Affine": _AFFINE,
    "Normalize": _NORMALIZE,
}
"""Sources of the functions and the layers, by name."""
