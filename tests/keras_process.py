"""A process of its own in which Keras runs: TensorFlow never shares one with PyTorch or with pytest."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import keras_worker


@contextmanager
def process(backend):
    """Calls functions of `keras_worker` in one process where Keras has this backend."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        1, context, initializer=keras_worker.choose, initargs=(backend,)
    ) as pool:
        yield lambda function, *arguments: pool.submit(function, *arguments).result()
