"""What the Keras tests run in processes of their own: TensorFlow never shares one with PyTorch or with pytest."""

from __future__ import annotations

import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import netspec
from netspec.backend import load_backend
from netspec.diagnostics import SpecError

_FAST_COMPILER = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
"""JAX compiles every op for every shape, and each runs once."""


def choose(backend):
    """Let Keras run on this backend, on the CPU, with TensorFlow's notes off stderr."""
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    os.environ.update(quiet, KERAS_BACKEND=backend)
    if backend == "jax":
        os.environ["XLA_FLAGS"] = _FAST_COMPILER


def examine(graph, weights, precision, batches, step):
    """The outputs for each of the batches and, for a `step` of feeds and cotangents, what it gives as a tuple."""
    session = load_backend("keras").open_session(graph, weights, precision)
    outputs = [session.predict(feeds) for feeds in batches]
    return outputs, None if step is None else tuple(session.train_step(*step))


def refusal(graph, weights, precision):
    """The words of the `SpecError`."""
    try:
        load_backend("keras").open_session(graph, weights, precision)
    except SpecError as error:
        return str(error)
    return None


def round_trip(graph, weights):
    """The weights as a model gives them back."""
    from netspec.backends.keras.weights import read_from

    return read_from(load_backend("keras").build(graph, weights), graph)


def misfit(graph, weights, other):
    """What `load_into` says to the model of another graph."""
    from netspec.backends.keras.weights import load_into
    from netspec.weights import init_weights

    try:
        load_into(load_backend("keras").build(other, init_weights(other)), graph, weights)
    except SpecError as error:
        return str(error)
    return None


def reload(graph, weights, x):
    """What a model predicts, and what it predicts and holds after it went through a `.keras` file."""
    import keras

    from netspec.backends.keras.weights import read_from

    model = load_backend("keras").build(graph, weights)
    with TemporaryDirectory() as folder:
        path = Path(folder, "model.keras")
        model.save(path)
        again = keras.saving.load_model(path)
    before, after = (each.predict(x, verbose=0) for each in (model, again))
    return before, after, read_from(again, graph)


def layers(graph, weights):
    """The model's name and, by name, the class of each of its layers."""
    model = load_backend("keras").build(graph, weights)
    return model.name, {layer.name: type(layer).__name__ for layer in model.layers}


def in_training(graph, weights, x):
    """What the model gives in training, with its dropout."""
    import keras

    keras.utils.set_random_seed(0)
    model = load_backend("keras").build(graph, weights)
    return keras.ops.convert_to_numpy(model(x, training=True))


def sampled(graph, weights, x):
    """What the model with dropout always on predicts, twice, and then once more from a `.keras` file."""
    import keras

    keras.utils.set_random_seed(0)
    model = netspec.build(graph, target="keras", weights=weights, passes=["mc-dropout"])
    with TemporaryDirectory() as folder:
        path = Path(folder, "model.keras")
        model.save(path)
        again = keras.saving.load_model(path)
    return [each.predict(x, batch_size=len(x), verbose=0) for each in (model, model, again)]


def settings_after(graph, weights):
    """Keras's global settings when a float64 session was opened."""
    import keras

    load_backend("keras").open_session(graph, weights, "float64")
    return keras.config.floatx(), keras.config.dtype_policy().name


def application(name, size, arrays, x):
    """What a model of `keras.applications` gives in float64, without its softmax, and how many numbers it holds.

    `arrays` are its weights by layer and variable, in the order of the layers. A layer that has no name
    of its own there takes the weights of the next of ours that are called alike.
    """
    import keras

    keras.utils.clear_session()
    keras.config.set_dtype_policy("float64")
    try:
        build = getattr(keras.applications, name)
        model = build(weights=None, input_shape=(size, size, 3), classifier_activation=None)
    finally:
        keras.config.set_dtype_policy("float32")
    waiting = dict(arrays)
    layers = sorted((layer for layer in model.layers if layer.weights), key=_creation)
    for layer in layers:
        own = {variable.name for variable in layer.weights}
        alike = (name for name, held in waiting.items() if held.keys() == own)
        given = waiting.pop(layer.name if layer.name in waiting else next(alike))
        for variable in layer.weights:
            assert variable.shape == given[variable.name].shape, variable.path
            variable.assign(given[variable.name])
    assert not waiting
    return keras.ops.convert_to_numpy(model(x, training=False)), model.count_params()


def _creation(layer):
    """Layers with a name of their own, then the others in the order in which they were made."""
    kind, _, number = layer.name.rpartition("_")
    named = not re.fullmatch(r"(conv2d|batch_normalization)(_\d+)?", layer.name)
    return (not named, int(number) if kind and number.isdigit() and not named else 0)


def in_stages(function, *arguments):
    """What a function gives where every path of more than five layers is cut into stages."""
    from unittest.mock import patch

    from netspec.backends.keras import stages

    with patch.multiple(stages, DEEP=5, STAGE=3):
        return function(*arguments)


def through_file(graph, weights, suffix):
    """The weights as a file of Keras's gives them back, and the names of the files."""
    from netspec.checkpoints.formats import load_matched
    from netspec.writing import write

    with TemporaryDirectory() as folder:
        paths = write(graph, str(Path(folder, f"model{suffix}")), weights=weights)
        return load_matched(paths[0], graph).weights, [Path(path).name for path in paths]


def from_foreign(graph, x, suffix):
    """The weights of a graph from a tutorial's model, whose layers have Keras's own names, by order.

    Also the report, the words where less is said than is needed, and what the model gives for `x`.
    """
    import keras
    from keras import layers

    from netspec.checkpoints.formats import load_matched
    from netspec.checkpoints.matching import table

    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(4, 3),
            layers.Flatten(),
            layers.Dense(5),
            layers.Dense(5),
        ]
    )
    model.compile("adam", "mse")
    model.fit(x, keras.ops.ones((len(x), 5)), verbose=0)
    with TemporaryDirectory() as folder:
        path = str(Path(folder, f"model{suffix}"))
        (model.save_weights if suffix == ".weights.h5" else model.save)(path)
        try:
            load_matched(path, graph)
        except SpecError as error:
            refused = str(error)
        try:
            load_matched(path, graph, by_order=True)
        except SpecError as error:
            refused += str(error)
        found = load_matched(path, graph, by_order=True, flatten="channels-last")
        outputs = keras.ops.convert_to_numpy(model(x))
        return found.weights, table(found.matches), refused, outputs


def alone(graph, weights, x):
    """What a `.keras` file gives in a process that knows nothing but Keras and the source written beside it."""
    import json
    import subprocess
    import sys

    from netspec.writing import write

    with TemporaryDirectory() as folder:
        names = [Path(path).name for path in write(graph, f"{folder}/m.keras", weights=weights)]
        code = (
            "import json, sys, keras, m\n"
            "y = keras.saving.load_model('m.keras').predict(json.load(sys.stdin), verbose=0)\n"
            "assert not any(name.startswith('netspec') for name in sys.modules)\n"
            "print(json.dumps(y.tolist()))"
        )
        code = code.replace("json.load(sys.stdin)", "keras.ops.array(json.load(sys.stdin))")
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder,
            input=json.dumps(x.tolist()),
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": folder},
        )
        assert done.returncode == 0, done.stderr
        source = Path(folder, "m.py")
        kept = source.read_bytes()
        source.write_text("import m2\n")
        try:
            write(graph, f"{folder}/m.keras", weights=weights)
        except SpecError as error:
            names += [each.id for each in error.diagnostics]
        assert source.read_text() == "import m2\n"
        source.write_bytes(kept)
        write(graph, f"{folder}/m.keras", weights=weights)
        return json.loads(done.stdout.splitlines()[-1]), names
