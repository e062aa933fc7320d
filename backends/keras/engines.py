"""Keras as `netspec bench` times it: `predict_on_batch`, and the model as a function compiled by TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from netspec.backend import need
from netspec.backends.keras.live import KerasSession
from netspec.backends.keras.running import inference
from netspec.bench.engine import Arrays, Engine, Opener, read_network
from netspec.weights import Array

keras = need("keras", "keras")


def _open_predict(folder: Path, threads: int) -> Engine:
    """`Model.predict_on_batch`: arrays in, arrays out, compiled on the first call."""
    del threads  # TensorFlow's are bounded by the environment of the process
    session = KerasSession(*read_network(folder), "float32")

    def prepare(inputs: Arrays) -> Callable[[], Any]:
        feeds = session.feed(inputs)
        given = feeds[0] if len(feeds) == 1 else feeds
        return lambda: session.model.predict_on_batch(given)

    def read(result: Any) -> dict[str, Array]:
        return session.named(result if isinstance(result, list) else [result])

    return Engine(prepare, read)


def _open_function(folder: Path, threads: int) -> Engine:
    """The model as one `tf.function`, from tensors to tensors."""
    del threads  # TensorFlow's are bounded by the environment of the process
    session = KerasSession(*read_network(folder), "float32")
    function = inference(session.model)

    def prepare(inputs: Arrays) -> Callable[[], Any]:
        tensors = [keras.ops.convert_to_tensor(each) for each in session.feed(inputs)]
        return lambda: function(*tensors)

    return Engine(prepare, session.named)


ENGINES: dict[str, Opener] = {"keras": _open_predict, "keras-function": _open_function}
