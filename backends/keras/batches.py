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
        self.order = order
        self.numbers = order.epoch(0)
        on_tensorflow = keras.backend.backend() == "tensorflow"
        self.source = self._pipeline(arrays) if on_tensorflow else _Batches(self, arrays)

    def begin(self, epoch: int) -> None:
        """What is read from now on is this epoch."""
        self.numbers = self.order.epoch(epoch)

    def _pipeline(self, arrays: Any) -> Any:
        """Python is asked for the order of an epoch; the rest is TensorFlow's, as Keras has it for arrays.

        Where all batches are of one size, TensorFlow is told: it compiles better steps for a size that it knows.
        """
        import tensorflow as tf

        held = keras.tree.map_structure(tf.constant, keras.tree.lists_to_tuples(arrays))
        count, rest = divmod(len(self.numbers), self.order.batch)
        whole = len(self.numbers) - rest

        def order() -> Iterator[Array]:
            yield self.numbers

        def parted(numbers: Any) -> Any:
            rows = tf.reshape(numbers[:whole], (count, self.order.batch))
            batches = tf.data.Dataset.from_tensor_slices(rows)
            last = tf.data.Dataset.from_tensors(numbers[whole:])
            return batches.concatenate(last) if rest else batches

        def taken(numbers: Any) -> Any:
            return keras.tree.map_structure(lambda x: tf.gather(x, numbers), held)

        signature = tf.TensorSpec((None,), tf.int64)
        dataset = tf.data.Dataset.from_generator(order, output_signature=signature)
        dataset = dataset.flat_map(parted).map(taken, num_parallel_calls=tf.data.AUTOTUNE)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(self.order.steps))
        options = tf.data.Options()
        options.experimental_optimization.apply_default_optimizations = False  # anew each epoch
        return dataset.with_options(options).prefetch(tf.data.AUTOTUNE)


class _Batches(keras.utils.PyDataset):  # type: ignore[misc]  # Keras is not followed
    def __init__(self, owner: Batches, arrays: Any) -> None:
        super().__init__()
        self._owner = owner
        self._arrays = arrays

    def __len__(self) -> int:
        return self._owner.order.steps

    def __getitem__(self, index: int) -> Any:
        size = self._owner.order.batch
        which = self._owner.numbers[index * size : (index + 1) * size]
        return keras.tree.map_structure(lambda array: array[which], self._arrays)
