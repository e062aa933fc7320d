"""Windows as vectors, in an emitted Keras file."""

from __future__ import annotations

_UNFOLD = '''\
@keras.saving.register_keras_serializable(package="netspec")
class Unfold(layers.Layer):
    """Every window of an image as a step of a sequence: the taps of one channel after another."""

    def __init__(
        self,
        kernel_size,
        *,
        strides=(1, 1),
        padding=(0, 0),
        dilation_rate=(1, 1),
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.kernel_size = tuple(kernel_size)
        self.strides = tuple(strides)
        self.padding = tuple(padding)
        self.dilation_rate = tuple(dilation_rate)

    def places(self, size, axis):
        """What each tap of each window sees along an axis of that padded size."""
        stride, dilation = self.strides[axis], self.dilation_rate[axis]
        taps = np.arange(self.kernel_size[axis])[:, None] * dilation
        return taps + np.arange(0, size - int(taps[-1, 0]), stride)

    def call(self, inputs):
        x = ops.pad(inputs, ((0, 0), *((pad, pad) for pad in self.padding), (0, 0)))
        x = ops.take(x, self.places(x.shape[1], 0), axis=1)
        x = ops.take(x, self.places(x.shape[3], 1), axis=3)
        _, height, down, width, right, channels = x.shape
        x = ops.transpose(x, (0, 2, 4, 5, 1, 3))
        return ops.reshape(x, (-1, down * right, channels * height * width))

    def get_config(self):
        own = {
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "dilation_rate": self.dilation_rate,
        }
        return {**super().get_config(), **own}
'''

_FOLD = '''\
@keras.saving.register_keras_serializable(package="netspec")
class Fold(layers.Layer):
    """Every step of a sequence as a window of an image, and the sum where windows overlap."""

    def __init__(
        self,
        output_size,
        kernel_size,
        *,
        strides=(1, 1),
        padding=(0, 0),
        dilation_rate=(1, 1),
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.output_size = tuple(output_size)
        self.kernel_size = tuple(kernel_size)
        self.strides = tuple(strides)
        self.padding = tuple(padding)
        self.dilation_rate = tuple(dilation_rate)

    def seen(self, axis):
        """The windows along an axis, and which tap of which window sees each place.

        Where a tap of no window does, the number is that of a zero behind all of them.
        """
        size, taps = self.output_size[axis], self.kernel_size[axis]
        stride, dilation = self.strides[axis], self.dilation_rate[axis]
        reach = size + 2 * self.padding[axis] - dilation * (taps - 1) - 1
        count = reach // stride + 1
        places = np.arange(size)[:, None] + self.padding[axis]
        windows, rest = np.divmod(places - np.arange(taps) * dilation, stride)
        valid = (rest == 0) & (windows >= 0) & (windows < count)
        return count, np.where(valid, np.arange(taps) * count + windows, taps * count)

    def call(self, inputs):
        (down, rows), (right, columns) = self.seen(0), self.seen(1)
        height, width = self.kernel_size
        channels = inputs.shape[-1] // (height * width)
        x = ops.reshape(inputs, (-1, down, right, channels, height, width))
        x = ops.transpose(x, (0, 4, 1, 5, 2, 3))
        x = ops.reshape(x, (-1, height * down, width * right, channels))
        x = ops.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)))
        x = ops.sum(ops.take(x, rows, axis=1), axis=2)
        return ops.sum(ops.take(x, columns, axis=2), axis=3)

    def get_config(self):
        own = {
            "output_size": self.output_size,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "dilation_rate": self.dilation_rate,
        }
        return {**super().get_config(), **own}
'''

PATCHES = {"Unfold": _UNFOLD, "Fold": _FOLD}
