"""What the tests of Keras share: a process for each of its backends, and how a network is compared there."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import keras_worker
import numpy as np
from graphs import assert_close, fit, realised_by

from netspec.backend import load_backend
from netspec.weights import random_weights

target = load_backend("keras")
reference = load_backend("reference")

BATCHES = (1, 2, 7)


@contextmanager
def process(backend):
    """Calls functions of `keras_worker` in one process where Keras has this backend."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        1, context, initializer=keras_worker.choose, initargs=(backend,)
    ) as pool:
        yield lambda function, *arguments: pool.submit(function, *arguments).result()


def feeds_for(graph, batch):
    draws = np.random.default_rng(batch)
    return {
        node.name: fit(graph, node, draws.normal(0, 2, (batch, *node.shape.sizes)))
        for node in graph.inputs
    }


def check(keras, graph, precision, limit, training=None, sizes=BATCHES):
    """One session infers batches of these sizes and trains on the last as the reference does.

    `training` is another limit for what training gives; False leaves the step out.
    """
    weights = random_weights(graph)
    batches = [feeds_for(graph, size) for size in sizes]
    oracle = reference.open_session(graph, weights, "float64")
    wanted = [oracle.predict(feeds) for feeds in batches]
    draws = np.random.default_rng(0)
    cotangents = {name: draws.normal(0, 1, y.shape) for name, y in wanted[-1].items()}
    step = None if training is False else (batches[-1], cotangents)
    found, after = keras(keras_worker.examine, graph, weights, precision, batches, step)
    for mine, theirs in zip(found, wanted, strict=True):
        assert_close(mine, theirs, limit)
        for output in graph.outputs:
            assert mine[output.name].dtype == precision
            assert mine[output.name].shape[1:] == graph.by_name[output.node].shape.sizes
    if step is None:
        return
    for mine, theirs in zip(after, oracle.train_step(*step), strict=True):
        assert_close(mine, theirs, training or limit)


REALISED = realised_by(target)
"""Every op with each of its examples that Keras can realise."""
