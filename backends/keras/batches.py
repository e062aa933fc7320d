"""Batches for `fit` in an order that is given: through `tf.data` on TensorFlow, as a `PyDataset` elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from netspec.backend import need

if TYPE_CHECKING:
    from netspec.training.order import Order
    from netspec.weights import Array

keras: Any = need("keras", "keras")


class Batches:
    """Trees of arrays, in batches of examples. `source` is what `fit` takes; every epoch has to `begin`."""

    def __init__(self, order: Order, arrays: Any) -> None:
        self._order = order
        self._epoch = 0
        on_tensorflow = keras.backend.backend() == "tensorflow"
        self.source = self._pipeline(arrays) if on_tensorflow else _Batches(self, arrays)

    def begin(self, epoch: int) -> None:
        """What is read from now on is this epoch."""
        self._epoch = epoch

    def batches(self) -> list[Array]:
        """The numbers of the examples of each batch of the epoch."""
        return self._order.batches(self._epoch)

    def __len__(self) -> int:
        return self._order.steps

    def _pipeline(self, arrays: Any) -> Any:
        """Python is asked for the numbers of an epoch; the rest is TensorFlow's."""
        import tensorflow as tf

        held = keras.tree.map_structure(tf.constant, keras.tree.lists_to_tuples(arrays))

        def numbers() -> Iterator[Array]:
            yield from self.batches()

        signature = tf.TensorSpec((None,), tf.int64)
        dataset = tf.data.Dataset.from_generator(numbers, output_signature=signature)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(self)))

        def batch(which: Any) -> Any:
            return keras.tree.map_structure(lambda x: tf.gather(x, which), held)

        return dataset.map(batch, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


class _Batches(keras.utils.PyDataset):  # type: ignore[misc]  # Keras is not followed
    def __init__(self, owner: Batches, arrays: Any) -> None:
        super().__init__()
        self._owner = owner
        self._arrays = arrays

    def __len__(self) -> int:
        return len(self._owner)

    def __getitem__(self, index: int) -> Any:
        which = self._owner.batches()[index]
        return keras.tree.map_structure(lambda array: array[which], self._arrays)
