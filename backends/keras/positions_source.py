"""The layers of an emitted Keras file that know where the steps of a sequence stand."""

from __future__ import annotations

_ROTARY = '''\
@keras.saving.register_keras_serializable(package="netspec")
class Rotary(layers.Layer):
    """Turns the features of each head in pairs by the step's position (Su et al., 2021)."""

    def __init__(self, length, head_dim, *, features=None, base=10000.0, **kwargs):
        super().__init__(**kwargs)
        self.length = length
        self.head_dim = head_dim
        self.features = features or head_dim
        self.base = base

    def call(self, inputs):
        half = self.features // 2
        rates = self.base ** -(np.arange(half) / half)
        angles = np.outer(np.arange(self.length), rates)[:, None]
        shape = ops.shape(inputs)
        cos, sin = (
            ops.convert_to_tensor(f(angles).astype("float32"), inputs.dtype)[: shape[1]]
            for f in (np.cos, np.sin)
        )
        heads = inputs.shape[-1] // self.head_dim
        x = ops.reshape(inputs, (*shape[:2], heads, self.head_dim))
        low, high, rest = ops.split(x, [half, 2 * half], axis=-1)
        turned = [low * cos - high * sin, high * cos + low * sin, rest]
        return ops.reshape(ops.concatenate(turned, axis=-1), shape)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        names = ("length", "head_dim", "features", "base")
        own = {name: getattr(self, name) for name in names}
        return {**super().get_config(), **own}
'''

_RELATIVE_BIAS = '''\
@keras.saving.register_keras_serializable(package="netspec")
class RelativeBias(layers.Layer):
    """A learned number for each head and each bucket of ways from query to key.

    Near ones have a bucket each, farther ones share some (Raffel et al., 2020).
    """

    def __init__(
        self,
        buckets,
        heads,
        *,
        distance=128,
        causal=False,
        initializer="zeros",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.buckets = buckets
        self.heads = heads
        self.distance = distance
        self.causal = causal
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape):
        shape = (self.buckets, self.heads)
        self.weight = self.add_weight(shape, self.initializer, name="weight")

    def call(self, inputs):
        batch, length, _ = ops.shape(inputs)
        steps = ops.arange(length, dtype="int32")
        ways = ops.expand_dims(steps, 0) - ops.expand_dims(steps, 1)
        ways = ops.clip(ways, -self.distance, self.distance)
        index = ops.take(self.bucket(), ways + self.distance)
        bias = ops.transpose(ops.take(self.weight, index, axis=0), (2, 0, 1))
        return ops.broadcast_to(bias, (batch, self.heads, length, length))

    def bucket(self):
        """Of each way, from `-distance` to `distance`."""
        ways = np.arange(-self.distance, self.distance + 1)
        far = np.maximum(-ways, 0) if self.causal else abs(ways)
        count = self.buckets if self.causal else self.buckets // 2
        near = count // 2
        bucket = np.minimum(far, near)
        for step in range(1, count - near):
            limit = near * (self.distance / near) ** (step / (count - near))
            bucket = bucket + (far >= limit - 1e-9)
        if not self.causal:
            bucket = bucket + count * (ways > 0)
        return ops.convert_to_tensor(bucket.astype("int32"))

    def compute_output_spec(self, inputs):
        batch, length, _ = inputs.shape
        return KerasTensor((batch, self.heads, length, length), self.compute_dtype)

    def get_config(self):
        names = ("buckets", "heads", "distance", "causal")
        own = {name: getattr(self, name) for name in names}
        own["initializer"] = keras.initializers.serialize(self.initializer)
        return {**super().get_config(), **own}
'''

POSITIONS = {"Rotary": _ROTARY, "RelativeBias": _RELATIVE_BIAS}
"""Sources, by name."""
