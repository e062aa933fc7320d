"""Classes and functions that an emitted file brings along where Keras has no layer that means what the spec means."""

from __future__ import annotations

from netspec.backends.keras.attention_source import ATTENTION
from netspec.backends.keras.channel_source import CHANNELWISE
from netspec.backends.keras.patch_source import PATCHES
from netspec.backends.keras.positions_source import POSITIONS
from netspec.backends.keras.sampling_source import SAMPLING
from netspec.backends.keras.window_source import WINDOWS

_BATCH_NORM = '''\
@keras.saving.register_keras_serializable(package="netspec")
class BatchNorm(layers.BatchNormalization):
    """Batch norm with the spec's constants and the unbiased running variance."""

    def __init__(self, *, momentum=0.9, epsilon=1e-5, **kwargs):
        super().__init__(momentum=momentum, epsilon=epsilon, **kwargs)

    def call(self, inputs, training=None, mask=None):
        if not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        kept = self.momentum * ops.convert_to_tensor(self.moving_variance)
        outputs = super().call(inputs, training=True, mask=mask)
        new = self.moving_variance - kept
        count = ops.cast(ops.size(inputs), new.dtype) / inputs.shape[self.axis]
        self.moving_variance.assign(kept + new * count / ops.maximum(count - 1, 1))
        return outputs
'''

_IN_ORDER = '''\
@keras.saving.register_keras_serializable(package="netspec")
class InOrder(layers.Layer):
    """Its first input, after the second: the statistics of a shared layer move in the order of its uses."""

    def call(self, inputs):
        return inputs[0]

    def compute_output_shape(self, input_shape):
        return input_shape[0]
'''

_AS_MODEL = '''\
def as_model(title, block, tensors, *arguments, **keywords):
    """What a block gives, as a model within: Keras recurses over the layers of each."""
    inputs = [keras.Input(x.shape[1:], dtype=x.dtype) for x in tensors]
    outputs = block(*inputs, *arguments, **keywords)
    return keras.Model(inputs, outputs, name=title)(tensors)
'''

_REVERSIBLE_DENSE = '''\
@keras.saving.register_keras_serializable(package="netspec")
class ReversibleDense(layers.Dense):
    """A dense layer that also maps the other way: by its transposed kernel, without the bias."""

    def build(self, input_shape):
        super().build(input_shape)
        self.input_spec = None  # which would know one of the two widths only

    def call(self, inputs, reverse=False):
        if reverse:
            return ops.matmul(inputs, ops.transpose(self.kernel))
        return super().call(inputs)

    def compute_output_spec(self, inputs, reverse=False):
        width = self.kernel.shape[0] if reverse else self.units
        return keras.KerasTensor((*inputs.shape[:-1], width), self.compute_dtype)
'''

_REVERSIBLE_EMBEDDING = '''\
@keras.saving.register_keras_serializable(package="netspec")
class ReversibleEmbedding(layers.Embedding):
    """An embedding that also maps the other way: vectors to a score for each token."""

    def call(self, inputs, reverse=False):
        if reverse:
            table = ops.cast(self.embeddings, inputs.dtype)
            return ops.matmul(inputs, ops.transpose(table))
        return super().call(inputs)

    def compute_output_spec(self, inputs, reverse=False):
        if reverse:
            return keras.KerasTensor((*inputs.shape[:-1], self.input_dim), inputs.dtype)
        return keras.KerasTensor((*inputs.shape, self.output_dim), self.compute_dtype)
'''

_BILINEAR = '''\
@keras.saving.register_keras_serializable(package="netspec")
class Bilinear(layers.Layer):
    """A learned bilinear form of two tensors for each output feature."""

    def __init__(
        self,
        units,
        *,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = units
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)

    def build(self, input_shape):
        first, second = (shape[-1] for shape in input_shape)
        shape = (self.units, first, second)
        self.kernel = self.add_weight(shape, self.kernel_initializer, name="kernel")
        if self.use_bias:
            self.bias = self.add_weight(
                (self.units,), self.bias_initializer, name="bias"
            )

    def call(self, inputs):
        x, y = inputs
        outputs = ops.einsum("...i,oij,...j->...o", x, self.kernel, y)
        return outputs + self.bias if self.use_bias else outputs

    def compute_output_shape(self, input_shape):
        return (*input_shape[0][:-1], self.units)

    def get_config(self):
        serialize = keras.initializers.serialize
        own = {
            "units": self.units,
            "use_bias": self.use_bias,
            "kernel_initializer": serialize(self.kernel_initializer),
            "bias_initializer": serialize(self.bias_initializer),
        }
        return {**super().get_config(), **own}
'''

_GELU_TANH = '''\
@keras.saving.register_keras_serializable(package="netspec")
def gelu_tanh(x):
    """GELU by its tanh formula, for which Keras has no activation of its own."""
    return ops.gelu(x, approximate=True)
'''

_POSITIONS = '''\
@keras.saving.register_keras_serializable(package="netspec")
class Positions(layers.Layer):
    """Adds a learned vector for each position to a sequence."""

    def __init__(self, length, *, initializer="random_normal", **kwargs):
        super().__init__(**kwargs)
        self.length = length
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape):
        shape = (self.length, input_shape[-1])
        self.weight = self.add_weight(shape, self.initializer, name="weight")

    def call(self, inputs):
        rows = self.weight[: ops.shape(inputs)[1]]
        return inputs + ops.broadcast_to(rows, ops.shape(inputs))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        initializer = keras.initializers.serialize(self.initializer)
        own = {"length": self.length, "initializer": initializer}
        return {**super().get_config(), **own}
'''

_SINUSOIDAL = '''\
@keras.saving.register_keras_serializable(package="netspec")
class SinusoidalPositions(layers.Layer):
    """Adds sines and cosines of the position (Vaswani et al., 2017)."""

    def __init__(self, *, base=10000.0, **kwargs):
        super().__init__(**kwargs)
        self.base = base

    def call(self, inputs):
        _, length, features = inputs.shape
        rates = self.base ** -(np.arange(0, features, 2) / features)
        angles = np.outer(np.arange(length), rates)
        table = np.stack([np.sin(angles), np.cos(angles)], axis=-1)
        table = table.reshape(length, -1)[:, :features].astype("float32")
        table = ops.convert_to_tensor(table, inputs.dtype)
        return inputs + ops.broadcast_to(table, ops.shape(inputs))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "base": self.base}
'''

_PARAMETER = '''\
@keras.saving.register_keras_serializable(package="netspec")
class Parameter(layers.Layer):
    """A learned tensor, repeated for every example of the input."""

    def __init__(self, shape, *, initializer="zeros", **kwargs):
        super().__init__(**kwargs)
        self.shape = tuple(shape)
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape):
        self.weight = self.add_weight(self.shape, self.initializer, name="weight")

    def call(self, inputs):
        return ops.broadcast_to(self.weight, (ops.shape(inputs)[0], *self.shape))

    def compute_output_spec(self, inputs):
        return KerasTensor((inputs.shape[0], *self.shape), self.compute_dtype)

    def get_config(self):
        initializer = keras.initializers.serialize(self.initializer)
        own = {"shape": self.shape, "initializer": initializer}
        return {**super().get_config(), **own}
'''

_CONSTANT = '''\
@keras.saving.register_keras_serializable(package="netspec")
class Constant(layers.Layer):
    """Given numbers, repeated for every example of the input."""

    def __init__(self, values, **kwargs):
        super().__init__(**kwargs)
        self.values = values

    def call(self, inputs):
        values = np.array(self.values, "float32")
        shape = (ops.shape(inputs)[0], *values.shape)
        values = ops.convert_to_tensor(values, self.compute_dtype)
        return ops.broadcast_to(values, shape)

    def compute_output_spec(self, inputs):
        shape = (inputs.shape[0], *np.shape(self.values))
        return KerasTensor(shape, self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "values": self.values}
'''

_WINDOW_BIAS = '''\
@keras.saving.register_keras_serializable(package="netspec")
class WindowBias(layers.Layer):
    """A learned number for each head and each way between two places of a window.

    Places that stood apart before the image was shifted get -100.
    """

    def __init__(self, heads, window, *, shift=(0, 0), initializer="zeros", **kwargs):
        super().__init__(**kwargs)
        self.heads = heads
        self.window = tuple(window)
        self.shift = tuple(shift)
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape):
        height, width = self.window
        shape = ((2 * height - 1) * (2 * width - 1), self.heads)
        self.weight = self.add_weight(shape, self.initializer, name="weight")

    def call(self, inputs):
        height, width = self.window
        rows, columns = np.divmod(np.arange(height * width), width)
        down = rows[:, None] - rows + height - 1
        right = columns[:, None] - columns + width - 1
        bias = ops.take(self.weight, down * (2 * width - 1) + right, axis=0)
        bias = ops.transpose(bias, (2, 0, 1))
        if any(self.shift):
            mask = ops.convert_to_tensor(self.mask(inputs.shape), bias.dtype)
            bias = bias + mask
        return ops.broadcast_to(bias, (ops.shape(inputs)[0], *bias.shape))

    def mask(self, shape):
        """Of the axes (windows, 1, queries, keys)."""
        parts = []
        for size, window, shift in zip(shape[1:3], self.window, self.shift):
            places = np.arange(size)
            part = (places >= size - window) * 1 + (places >= size - shift)
            parts.append(part.reshape(-1, window))
        down, right = parts
        regions = 3 * down[:, None, :, None] + right[None, :, None, :]
        regions = regions.reshape(-1, 1, down.shape[1] * right.shape[1])
        return np.where(regions[..., None] == regions[..., None, :], 0.0, -100.0)

    def compute_output_spec(self, inputs):
        area = self.window[0] * self.window[1]
        shape = (inputs.shape[0], self.heads, area, area)
        if any(self.shift):
            count = inputs.shape[1] * inputs.shape[2] // area
            shape = (shape[0], count, *shape[1:])
        return KerasTensor(shape, self.compute_dtype)

    def get_config(self):
        initializer = keras.initializers.serialize(self.initializer)
        own = {"heads": self.heads, "window": self.window, "shift": self.shift}
        return {**super().get_config(), **own, "initializer": initializer}
'''

_SPREAD_SUM = '''\
def spread_sum(x, *gates):
    """The sum of a tensor and smaller ones, each repeated along its axes of size 1.

    In a sum, Keras on TensorFlow takes some of these for a bias of another axis.
    """
    for gate in gates:
        x = x - ops.negative(gate)
    return x
'''

SOURCES = {
    "spread_sum": _SPREAD_SUM,
    "BatchNorm": _BATCH_NORM,
    "InOrder": _IN_ORDER,
    "as_model": _AS_MODEL,
    "ReversibleDense": _REVERSIBLE_DENSE,
    "ReversibleEmbedding": _REVERSIBLE_EMBEDDING,
    "Bilinear": _BILINEAR,
    "gelu_tanh": _GELU_TANH,
    "Positions": _POSITIONS,
    "SinusoidalPositions": _SINUSOIDAL,
    **POSITIONS,
    "Parameter": _PARAMETER,
    "Constant": _CONSTANT,
    "WindowBias": _WINDOW_BIAS,
    **ATTENTION,
    **CHANNELWISE,
    **PATCHES,
    **WINDOWS,
    **SAMPLING,
}
