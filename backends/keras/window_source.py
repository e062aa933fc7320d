"""Convolutions, pools, paddings and resampling that an emitted Keras file brings along, where Keras has none such."""

from __future__ import annotations

_LOW_PADDING = '''\
@keras.saving.register_keras_serializable(package="netspec")
class LowPadding{rank}D(layers.ZeroPadding{rank}D):
    """Padding of minus infinity, which never is the maximum."""

    def call(self, inputs):
        padding = ((0, 0), {padding}, (0, 0))
        return ops.pad(inputs, padding, constant_values=-float("inf"))
'''

_PARTIAL_AVERAGE = '''\
@keras.saving.register_keras_serializable(package="netspec")
class PartialAveragePooling{rank}D(layers.AveragePooling{rank}D):
    """Average pooling whose windows reach over the margins, which do not count."""

    def __init__(self, pool_size, *, margins, **kwargs):
        super().__init__(pool_size, **kwargs)
        self.margins = margins

    def call(self, inputs):
        padding = ((0, 0), *self.margins, (0, 0))
        share = super().call(ops.pad(ops.ones_like(inputs[..., :1]), padding))
        return super().call(ops.pad(inputs, padding)) / share

    def compute_output_shape(self, input_shape):
        batch, *sizes, channels = input_shape
        sizes = [size and size + sum(pair) for size, pair in zip(sizes, self.margins)]
        return super().compute_output_shape((batch, *sizes, channels))

    def get_config(self):
        return {{**super().get_config(), "margins": self.margins}}
'''

_GROUPED_TRANSPOSE = '''\
@keras.saving.register_keras_serializable(package="netspec")
class GroupedConv{rank}DTranspose(layers.Conv{rank}DTranspose):
    """Transposed convolution of groups of channels apart from each other."""

    def __init__(self, filters, kernel_size, *, groups, **kwargs):
        super().__init__(filters, kernel_size, **kwargs)
        self.groups = groups

    def build(self, input_shape):
        shape = (*self.kernel_size, self.filters // self.groups, input_shape[-1])
        self.kernel = self.add_weight(shape, self.kernel_initializer, name="kernel")
        if self.use_bias:
            self.bias = self.add_weight(
                (self.filters,), self.bias_initializer, name="bias"
            )

    def call(self, inputs):
        parts = zip(
            ops.split(inputs, self.groups, axis=-1),
            ops.split(self.kernel, self.groups, axis=-1),
        )
        outputs = [
            ops.conv_transpose(
                part, kernel, self.strides, self.padding, self.output_padding
            )
            for part, kernel in parts
        ]
        outputs = ops.concatenate(outputs, axis=-1)
        return outputs + self.bias if self.use_bias else outputs

    def get_config(self):
        return {{**super().get_config(), "groups": self.groups}}
'''

_L2_POOLING = '''\
@keras.saving.register_keras_serializable(package="netspec")
class L2Pooling{rank}D(layers.AveragePooling{rank}D):
    """The root of the sum of squares of each window."""

    def call(self, inputs):
        count = {count}
        return ops.sqrt(super().call(ops.square(inputs)) * count)
'''

_ADAPTIVE_POOLING = '''\
@keras.saving.register_keras_serializable(package="netspec")
class AdaptivePooling(layers.Layer):
    """PyTorch's adaptive pooling: bins that may overlap, as many as are asked for."""

    def __init__(self, sizes, *, reduction, **kwargs):
        super().__init__(**kwargs)
        self.sizes = sizes
        self.reduction = reduction

    def call(self, inputs):
        reduce = ops.max if self.reduction == "max" else ops.mean
        for axis, count in enumerate(self.sizes, start=1):
            size, bins = inputs.shape[axis], []
            for i in range(count):
                start, end = i * size // count, -(-(i + 1) * size // count)
                places = ops.take(inputs, ops.arange(start, end), axis=axis)
                bins.append(reduce(places, axis=axis, keepdims=True))
            inputs = ops.concatenate(bins, axis=axis)
        return inputs

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.sizes, input_shape[-1])

    def get_config(self):
        config = {"sizes": self.sizes, "reduction": self.reduction}
        return {**super().get_config(), **config}
'''

_BORDER_PADDING = '''\
@keras.saving.register_keras_serializable(package="netspec")
class BorderPadding(layers.Layer):
    """Padding with values of the input itself: reflected, replicated or circular."""

    def __init__(self, padding, *, mode, **kwargs):
        super().__init__(**kwargs)
        self.padding = padding
        self.mode = mode

    def call(self, inputs):
        for axis, (before, after) in enumerate(self.padding, start=1):
            last = ops.shape(inputs)[axis] - 1
            places = ops.arange(-before, last + 1 + after)
            if self.mode == "circular":
                places = ops.mod(places, last + 1)
            elif self.mode == "reflect":
                places = last - ops.abs(last - ops.abs(places))
            places = ops.clip(places, 0, last)
            inputs = ops.take(inputs, places, axis=axis)
        return inputs

    def compute_output_shape(self, input_shape):
        batch, *sizes, channels = input_shape
        sizes = [size and size + sum(pair) for size, pair in zip(sizes, self.padding)]
        return (batch, *sizes, channels)

    def get_config(self):
        config = {"padding": self.padding, "mode": self.mode}
        return {**super().get_config(), **config}
'''

_RESAMPLING = '''\
@keras.saving.register_keras_serializable(package="netspec")
class Resampling(layers.Layer):
    """Other sizes of the axes between batch and channels, by a matrix for each of them."""

    def __init__(self, sizes, *, mode, corners="half", **kwargs):
        super().__init__(**kwargs)
        self.sizes = sizes
        self.mode = mode
        self.corners = corners

    def matrix(self, old, new):
        """How much of each old position a new one takes."""
        rows = np.arange(new)
        matrix = np.zeros((new, old))
        if self.mode == "nearest":
            matrix[rows, rows * old // new] = 1
            return matrix
        if self.corners == "align":
            places = rows * ((old - 1) / max(new - 1, 1))
        else:
            places = (rows + 0.5) * (old / new) - 0.5
        for tap in range(-1, 3):
            taps = np.floor(places).astype(int) + tap
            d = np.abs(places - taps)
            near = 1 + (1.25 * d - 2.25) * d**2 if self.mode == "cubic" else 1 - d
            far = 3 - 0.75 * ((d - 5) * d + 8) * d if self.mode == "cubic" else 0
            share = np.where(d <= 1, near, far)
            np.add.at(matrix, (rows, np.clip(taps, 0, old - 1)), share)
        return matrix

    def call(self, inputs):
        for axis, size in enumerate(self.sizes, start=1):
            matrix = self.matrix(inputs.shape[axis], size)
            matrix = ops.convert_to_tensor(matrix, self.compute_dtype)
            inputs = ops.tensordot(inputs, matrix, axes=((axis,), (1,)))
            inputs = ops.moveaxis(inputs, -1, axis)
        return inputs

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.sizes, input_shape[-1])

    def get_config(self):
        config = {"sizes": self.sizes, "mode": self.mode, "corners": self.corners}
        return {**super().get_config(), **config}
'''

_WS_CONV = '''\
@keras.saving.register_keras_serializable(package="netspec")
class WSConv{rank}D(layers.Conv{rank}D):
    """Convolution whose weights are standardised: every filter has mean 0, variance 1."""

    def __init__(self, filters, kernel_size, *, eps=1e-5, **kwargs):
        super().__init__(filters, kernel_size, **kwargs)
        self.eps = eps

    def call(self, inputs):
        axes = tuple(range({rank} + 1))
        kernel = ops.convert_to_tensor(self.kernel)
        mean, variance = ops.moments(kernel, axes, keepdims=True)
        kernel = (kernel - mean) / ops.sqrt(variance + self.eps)
        outputs = ops.conv(
            inputs, kernel, self.strides, self.padding, dilation_rate=self.dilation_rate
        )
        return outputs + self.bias if self.use_bias else outputs

    def get_config(self):
        return {{**super().get_config(), "eps": self.eps}}
'''

_HALF_PADDED = '''\
def {name}(
    x: KerasTensor,{filters} kernel: int, *, strides: int = 1, name: str, **kwargs
) -> KerasTensor:
    """Convolution padded by half its kernel; Keras's "same" is lopsided when strided."""
    padding = "same" if strides == 1 else "valid"
    if padding == "valid" and kernel > 1:
        x = layers.ZeroPadding{rank}D(kernel // 2, name=f"{{name}}_pad")(x)
    layer = layers.{layer}(
        {argument}kernel, strides=strides, padding=padding, name=name, **kwargs
    )
    return layer(x)
'''


def _half_padded(name: str, layer: str, rank: int, filters: bool) -> str:
    return _HALF_PADDED.format(
        name=name,
        layer=layer,
        rank=rank,
        filters=" filters: int," if filters else "",
        argument="filters, " if filters else "",
    )


WINDOWS = {
    "AdaptivePooling": _ADAPTIVE_POOLING,
    "BorderPadding": _BORDER_PADDING,
    "Resampling": _RESAMPLING,
    **{
        f"{before}{rank}{after}": source.format(
            rank=rank,
            padding="self.padding" if rank == 1 else "*self.padding",
            count=" * ".join(f"self.pool_size[{axis}]" for axis in range(rank)),
        )
        for before, after, source in (
            ("LowPadding", "D", _LOW_PADDING),
            ("PartialAveragePooling", "D", _PARTIAL_AVERAGE),
            ("GroupedConv", "DTranspose", _GROUPED_TRANSPOSE),
            ("WSConv", "D", _WS_CONV),
            ("L2Pooling", "D", _L2_POOLING),
        )
        for rank in (1, 2, 3)
    },
    **{
        f"conv{rank}d": _half_padded(f"conv{rank}d", f"Conv{rank}D", rank, filters=True)
        for rank in (1, 2, 3)
    },
    **{
        f"depthwise_conv{rank}d": _half_padded(
            f"depthwise_conv{rank}d", f"DepthwiseConv{rank}D", rank, filters=False
        )
        for rank in (1, 2)
    },
}
