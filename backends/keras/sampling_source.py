"""The layers of an emitted Keras file that drop at inference too.

They are subclasses: a functional model tells its layers whether it trains, whatever these were called with.
"""

from __future__ import annotations

_DROPOUT = '''\
@keras.saving.register_keras_serializable(package="netspec")
class MC{name}(layers.{name}):
    """Dropout that stays on at inference (Gal & Ghahramani, 2016)."""

    def call(self, inputs, training=None):
        return super().call(inputs, training=True)
'''

_KERAS_ATTENTION = '''\
@keras.saving.register_keras_serializable(package="netspec")
class MC{name}(layers.{name}):
    """Attention whose dropout stays on at inference (Gal & Ghahramani, 2016)."""

    def call(self, query, value, key=None, training=None, use_causal_mask=False):
        causal = {{"use_causal_mask": use_causal_mask}}
        return super().call(query, value, key, training=True, **causal)
'''

_ATTENTION = '''\
@keras.saving.register_keras_serializable(package="netspec")
class MCAttention(Attention):
    """Attention whose dropout stays on at inference (Gal & Ghahramani, 2016)."""

    def call(self, query, key, value, bias=None, training=None):
        return super().call(query, key, value, bias, training=True)
'''

SAMPLING = {
    **{
        f"MC{name}": _DROPOUT.format(name=name)
        for name in ("Dropout", "AlphaDropout", *(f"SpatialDropout{n}D" for n in (1, 2, 3)))
    },
    **{
        f"MC{name}": _KERAS_ATTENTION.format(name=name)
        for name in ("MultiHeadAttention", "GroupQueryAttention")
    },
    "MCAttention": _ATTENTION,
}
"""Sources of the layers, by name."""
