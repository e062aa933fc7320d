"""The layers of attention that an emitted Keras file brings along, where those of Keras mean something else."""

from __future__ import annotations

_ATTEND = '''\
def attend(q, k, v, *, scale, causal, bias, dropout=None, training=None):
    """Softmax of the scores times the values, for tensors (..., t, heads, features)."""
    groups = q.shape[-2] // k.shape[-2]
    k, v = ops.repeat(k, groups, axis=-2), ops.repeat(v, groups, axis=-2)
    q, k, v = (ops.swapaxes(each, -3, -2) for each in (q * scale, k, v))
    scores = ops.matmul(q, ops.swapaxes(k, -2, -1))
    if bias is not None:
        missing = tuple(range(1, 1 + len(scores.shape) - len(bias.shape)))
        bias = ops.expand_dims(bias, missing) if missing else bias
        scores = scores + ops.broadcast_to(bias, ops.shape(scores))
    if causal:
        queries, keys = (ops.arange(size) for size in ops.shape(scores)[-2:])
        seen = keys <= ops.expand_dims(queries, 1)
        scores = ops.where(seen, scores, -float("inf"))
    weights = ops.softmax(scores)
    if dropout is not None:
        weights = dropout(weights, training=training)
    x = ops.swapaxes(ops.matmul(weights, v), -3, -2)
    return ops.reshape(x, (*ops.shape(x)[:-2], x.shape[-2] * x.shape[-1]))
'''

_SDPA = '''\
@keras.saving.register_keras_serializable(package="netspec")
class DotProductAttention(layers.Layer):
    """Attention without maps of its own, the features split among heads."""

    def __init__(self, heads, *, scale, causal=False, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads
        self.scale = scale
        self.causal = causal

    def call(self, query, key, value, bias=None):
        width = query.shape[-1] // self.heads
        q, k, v = (
            ops.reshape(x, (*ops.shape(x)[:-1], x.shape[-1] // width, width))
            for x in (query, key, value)
        )
        return attend(q, k, v, scale=self.scale, causal=self.causal, bias=bias)

    def compute_output_spec(self, query, key, value, bias=None):
        return KerasTensor(query.shape, self.compute_dtype)

    def get_config(self):
        own = {"heads": self.heads, "scale": self.scale, "causal": self.causal}
        return {**super().get_config(), **own}
'''

_ATTENTION = '''\
@keras.saving.register_keras_serializable(package="netspec")
class Attention(layers.Layer):
    """Multi-head attention in windows, with rotary positions, a bias or another scale."""

    def __init__(
        self,
        heads,
        head_dim,
        *,
        kv_heads,
        scale,
        causal=False,
        rotary_base=None,
        use_bias=True,
        dropout=0.0,
        kernel_initializer="glorot_uniform",
        output_initializer="glorot_uniform",
        bias_initializer="zeros",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.heads = heads
        self.head_dim = head_dim
        self.kv_heads = kv_heads
        self.scale = scale
        self.causal = causal
        self.rotary_base = rotary_base
        self.use_bias = use_bias
        self.dropout = layers.Dropout(dropout, dtype=self.dtype_policy)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.output_initializer = keras.initializers.get(output_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)

    def build(self, query_shape, key_shape, value_shape, bias_shape=None):
        def dense(units, shape, initializer):
            layer = layers.Dense(
                units,
                use_bias=self.use_bias,
                kernel_initializer=initializer.clone(),
                bias_initializer=self.bias_initializer.clone(),
                dtype=self.dtype_policy,
            )
            layer.build(shape)
            return layer

        width, kv_width = self.heads * self.head_dim, self.kv_heads * self.head_dim
        self.query = dense(width, query_shape, self.kernel_initializer)
        self.key = dense(kv_width, key_shape, self.kernel_initializer)
        self.value = dense(kv_width, value_shape, self.kernel_initializer)
        inner = (*query_shape[:-1], width)
        self.project = dense(query_shape[-1], inner, self.output_initializer)

    def call(self, query, key, value, bias=None, training=None):
        q = self.split(self.query(query))
        k, v = self.split(self.key(key)), self.split(self.value(value))
        if self.rotary_base is not None:
            q, k = self.turn(q), self.turn(k)
        x = attend(
            q,
            k,
            v,
            scale=self.scale,
            causal=self.causal,
            bias=bias,
            dropout=self.dropout,
            training=training,
        )
        return self.project(x)

    def split(self, x):
        shape = (*ops.shape(x)[:-1], x.shape[-1] // self.head_dim, self.head_dim)
        return ops.reshape(x, shape)

    def turn(self, x):
        """Turn each pair of features by its position (Su et al., 2021)."""
        half = self.head_dim // 2
        rates = self.rotary_base ** -(np.arange(half) / half)
        angles = np.outer(np.arange(x.shape[-3]), rates)[:, None].astype("float64")
        cos, sin = (
            ops.convert_to_tensor(f(angles).astype("float32"), x.dtype)
            for f in (np.cos, np.sin)
        )
        low, high = x[..., :half], x[..., half:]
        turned = [low * cos - high * sin, high * cos + low * sin]
        return ops.concatenate(turned, axis=-1)

    def compute_output_spec(self, query, key, value, bias=None, training=None):
        return KerasTensor(query.shape, self.compute_dtype)

    def get_config(self):
        starts = {
            name: keras.initializers.serialize(getattr(self, name))
            for name in ("kernel_initializer", "output_initializer", "bias_initializer")
        }
        own = {
            "heads": self.heads,
            "head_dim": self.head_dim,
            "kv_heads": self.kv_heads,
            "scale": self.scale,
            "causal": self.causal,
            "rotary_base": self.rotary_base,
            "use_bias": self.use_bias,
            "dropout": self.dropout.rate,
        }
        return {**super().get_config(), **own, **starts}
'''

ATTENTION = {"attend": _ATTEND, "DotProductAttention": _SDPA, "Attention": _ATTENTION}
"""Sources of the function and the layers, by name."""
