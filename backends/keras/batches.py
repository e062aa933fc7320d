"""Batches for `fit` in an order that is given: through `tf.data` on TensorFlow, as a `PyDataset` elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netspec.backend import need

if TYPE_CHECKING:
    from netspec.training.order import Order

keras: Any = need("keras", "keras")


class Batches:
    """Trees of arrays, in batches of examples. `source` is what `fit` takes; every epoch has to `begin`."""

    def __init__(self, order: Order, arrays: Any) -> None:
        self._order = order
        on_tensorflow = keras.backend.backend() == "tensorflow"
        self._held = _Pipeline(order, arrays) if on_tensorflow else _Batches(order, arrays)
        self.source = self._held.dataset if on_tensorflow else self._held

    def begin(self, epoch: int) -> None:
        """What is read from now on is this epoch."""
        self._held.take(self._order.epoch(epoch))


class _Pipeline:
    """As Keras reads arrays itself, but for the order, which is a variable: Python is asked for nothing.

    Where all batches are of one size, TensorFlow is told: it compiles better steps for a size that it knows.
    """

    def __init__(self, order: Order, arrays: Any) -> None:
        import tensorflow as tf

        held = keras.tree.map_structure(tf.constant, keras.tree.lists_to_tuples(arrays))
        numbers = tf.Variable(order.epoch(0), trainable=False)
        count, rest = divmod(numbers.shape[0], order.batch)

        def parted(_: Any) -> Any:
            found = numbers.read_value()
            whole = tf.reshape(found[: count * order.batch], (count, order.batch))
            batches = tf.data.Dataset.from_tensor_slices(whole)
            last = tf.data.Dataset.from_tensors(found[count * order.batch :])
            return batches.concatenate(last) if rest else batches

        def taken(some: Any) -> Any:
            return keras.tree.map_structure(lambda x: tf.gather(x, some), held)

        dataset = tf.data.Dataset.range(1).flat_map(parted)
        dataset = dataset.map(taken, num_parallel_calls=tf.data.AUTOTUNE)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(order.steps))
        options = tf.data.Options()
        options.experimental_optimization.apply_default_optimizations = False  # anew each epoch
        self.dataset = dataset.with_options(options).prefetch(tf.data.AUTOTUNE)
        self.take = numbers.assign


class _Batches(keras.utils.PyDataset):  # type: ignore[misc]  # Keras is not followed
    def __init__(self, order: Order, arrays: Any) -> None:
        super().__init__()
        self._order = order
        self._arrays = arrays
        self.take(order.epoch(0))

    def take(self, numbers: Any) -> None:
        self._numbers = numbers

    def __len__(self) -> int:
        return self._order.steps

    def __getitem__(self, index: int) -> Any:
        size = self._order.batch
        which = self._numbers[index * size : (index + 1) * size]
        return keras.tree.map_structure(lambda array: array[which], self._arrays)
