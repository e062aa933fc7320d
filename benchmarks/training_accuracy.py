"""What `netspec train` and handwritten training reach on data that are held out, and whether they are the same.

Two trainings that differ by nothing but chance are further apart than a standard error every third time. So runs
are compared in pairs, too: the handwritten one starts from the weights of netspec's seed and sees the examples in its
order. If it drops nothing, or the same, nothing is left to chance: in float64 both have to end with the same weights.
With Adam this is so in PyTorch alone, since Keras's formula is another one; with SGD and momentum in Keras, too.

A network that is written in Keras by hand has Keras's constants, of which four are others than the spec's. So it is
trained as Keras has it, with each of the four changed alone, and with all four: then it is the same network.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple, TypeAlias

import netspec
from netspec.training import Data, load_data, train
from netspec.training.order import Order, stream
from netspec.training.recipe import declare
from netspec.weights import Array, Weights, np

EXAMPLES = Path(__file__).parent.parent / "examples"
TABULAR = "net t(rate=0.2) { input 30 -> dense 32 -> bn -> relu -> dropout rate -> dense 2 }"
DROPOUT = {"digits": 0.5, "breast-cancer": 0.2}
"""Data, and the rate of dropout of their network: N2 on images, and a tabular one with batch norm."""
BATCH, EPOCHS = 32, 12
RATE, MOMENTUM = 0.01, 0.875
"""Of SGD. Keras rounds its momentum to float32 even in float64: this one stays what it is."""
FEW = 5
"""Seeds of what needs no more."""
FRAMEWORKS = ("torch", "keras")
EXACT = {
    "Adam, nothing dropped": ("adam", False),
    "SGD, nothing dropped": ("sgd", False),
    "SGD, the same dropped": ("sgd", True),
}
"""Runs that leave nothing to chance: the optimizer, and whether there is dropout."""


def network(name: str, rate: float) -> netspec.Graph:
    """The spec's network for these data."""
    if name == "digits":
        sizes = {"rate": rate}
        return netspec.load(EXAMPLES / "n2.net", input_shape=(1, 8, 8), overrides=sizes)
    return netspec.parse(TABULAR, overrides={"rate": rate})


class Start(NamedTuple):
    """What a run by hand takes over from netspec's: first weights, order of examples, perhaps what is dropped."""

    weights: Weights
    order: Order
    drops: bool = False


class Run(NamedTuple):
    """How a run by hand is done. Without a start it is a tutorial's: the framework's first weights and order."""

    name: str
    data: Data
    seed: int
    rate: float
    precision: str = "float32"
    optimizer: str = "adam"
    start: Start | None = None


class End(NamedTuple):
    """What a run reached on the test part, and its weights: the tensors of the framework's layers, in their order."""

    accuracy: float
    weights: list[Array]


def by_netspec(run: Run, framework: str) -> tuple[float, Weights]:
    """What the command does: accuracy and canonical weights."""
    how = {"optimizer": run.optimizer, "momentum": 0 if run.optimizer == "adam" else MOMENTUM}
    recipe = declare(epochs=EPOCHS, batch=BATCH, seed=run.seed, precision=run.precision, **how)
    result = train(network(run.name, run.rate), run.data, recipe, framework)
    assert result.test is not None
    return result.test["accuracy"], result.weights


def torch_by_hand(run: Run) -> End:
    """The network, the loop and the test as a tutorial has them."""
    import torch
    from torch import nn

    torch.manual_seed(run.seed)
    dtype = getattr(torch, run.precision)
    if run.name == "digits":
        model = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(512, 128),
            nn.ReLU(),
            nn.Dropout(run.rate),
            nn.Linear(128, 10),
        )
    else:
        model = nn.Sequential(
            nn.Linear(30, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(run.rate), nn.Linear(32, 2)
        )
    model.to(dtype)
    held = [tensor for tensor in model.state_dict().values() if tensor.is_floating_point()]
    if run.start is not None:
        for tensor, first in zip(held, run.start.weights.values(), strict=True):
            tensor.copy_(torch.from_numpy(first))
    x, y = torch.from_numpy(run.data.train.x["x"]).to(dtype), torch.from_numpy(run.data.train.y)
    if run.optimizer == "adam":
        optimizer = torch.optim.Adam(model.parameters())
    else:
        optimizer = torch.optim.SGD(model.parameters(), RATE, MOMENTUM)
    for epoch in range(EPOCHS):
        order = torch.randperm(len(x))
        if run.start is not None:
            order = torch.from_numpy(run.start.order.epoch(epoch))
            if run.start.drops:
                torch.manual_seed(stream(run.seed, epoch, 0))
        for batch in order.split(BATCH):
            loss = nn.functional.cross_entropy(model(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.eval()
    found = model(torch.from_numpy(run.data.test.x["x"]).to(dtype)).argmax(1).numpy()
    return End(float((found == run.data.test.y).mean()), [tensor.numpy() for tensor in held])


class Constants(NamedTuple):
    """Those in which Keras and PyTorch differ; the defaults are Keras's."""

    momentum: float = 0.99
    epsilon: float = 1e-3
    by_fan_in: bool = False
    adam_epsilon: float = 1e-7

    def norm(self) -> Any:
        """A batch norm."""
        from keras import layers

        return layers.BatchNormalization(momentum=self.momentum, epsilon=self.epsilon)

    def start(self, fan_in: int) -> dict[str, Any]:
        """First weights of a layer: Glorot's and no bias, or both uniform up to the root of 1/fan_in, as PyTorch's."""
        from keras import initializers

        if not self.by_fan_in:
            return {}
        limit = fan_in**-0.5
        return {
            f"{what}_initializer": initializers.RandomUniform(-limit, limit)
            for what in ("kernel", "bias")
        }


KERAS = {
    "Keras's constants": Constants(),
    "batch norm's momentum 0.9": Constants(momentum=0.9),
    "batch norm's epsilon 1e-5": Constants(epsilon=1e-5),
    "first weights by fan-in": Constants(by_fan_in=True),
    "Adam's epsilon 1e-8": Constants(adam_epsilon=1e-8),
    "the same network": Constants(0.9, 1e-5, True, 1e-8),
}


SAME = KERAS["the same network"]


def keras_by_hand(run: Run, own: Constants) -> End:
    """The same in Keras."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(run.seed)
    keras.config.set_floatx(run.precision)
    keras.config.set_dtype_policy(run.precision)
    if run.name == "digits":
        stack = [
            layers.Conv2D(32, 3, padding="same", **own.start(9)),
            own.norm(),
            layers.ReLU(),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(128, activation="relu", **own.start(512)),
            layers.Dropout(run.rate),
            layers.Dense(10, **own.start(128)),
        ]
    else:
        stack = [
            layers.Dense(32, **own.start(30)),
            own.norm(),
            layers.ReLU(),
            layers.Dropout(run.rate),
            layers.Dense(2, **own.start(32)),
        ]
    held = [part.x["x"].astype(run.precision) for part in (run.data.train, run.data.test)]
    x, test_x = (part.transpose(0, 2, 3, 1) if part.ndim == 4 else part for part in held)
    y = run.data.train.y
    model = keras.Sequential([layers.Input(x.shape[1:]), *stack])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    if run.optimizer == "adam":
        optimizer = keras.optimizers.Adam(epsilon=own.adam_epsilon)
    else:
        optimizer = keras.optimizers.SGD(RATE, MOMENTUM)
    model.compile(optimizer, loss, metrics=["accuracy"])
    if run.start is None:
        model.fit(x, y, BATCH, EPOCHS, verbose=0)
    else:
        model.set_weights([in_keras(each) for each in run.start.weights.values()])
        for epoch in range(EPOCHS):
            order = run.start.order.epoch(epoch)
            if run.start.drops:
                drawn = stream(run.seed, epoch, 0)
                stack[-2].seed_generator.state.assign([drawn >> 32, drawn & 0x7FFFFFFF])
            model.fit(x[order], y[order], BATCH, shuffle=False, verbose=0)
    found = model.predict(test_x, verbose=0).argmax(1)
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    return End(float((found == run.data.test.y).mean()), model.get_weights())


def in_keras(weight: Array) -> Array:
    """A weight of the spec's as the layers above hold it. Behind the flatten, 32 channels are last, not first."""
    if weight.ndim == 4:
        return weight.transpose(2, 3, 1, 0)
    if weight.shape == (128, 512):
        return weight.reshape(128, 32, 4, 4).transpose(2, 3, 1, 0).reshape(512, 128)
    return weight.T


def by_hand(run: Run, framework: str, own: Constants = SAME) -> End:
    """In either framework."""
    return torch_by_hand(run) if framework == "torch" else keras_by_hand(run, own)


def started(run: Run, drops: bool = False) -> Run:
    """The same run from netspec's first weights and in its order; where it `drops`, with its draws, too."""
    graph = network(run.name, run.rate)
    order = Order(len(run.data.train.y), BATCH, run.seed)
    return run._replace(start=Start(netspec.init_weights(graph, run.seed), order, drops))


def apart(ours: Weights, theirs: Sequence[Array], framework: str) -> float:
    """How far two runs' weights are apart: of all tensors the most, in units of the tensor's largest number.

    The variances that Keras's own batch norm keeps are other ones, by definition, and left out.
    """
    found = 0.0
    for (name, array), other in zip(ours.items(), theirs, strict=True):
        if framework == "torch" or not name.endswith("running_var"):
            mine = array if framework == "torch" else in_keras(array)
            found = max(found, float(np.abs(mine - other).max() / np.abs(other).max()))
    return found


def measure(framework: str, seeds: int) -> Iterator[tuple[str, str, float]]:
    """Data, what was done, and what it gave; for each seed in order."""
    for name, rate in DROPOUT.items():
        data = load_data(name)
        for seed in range(seeds):
            run = Run(name, data, seed, rate)
            yield name, "netspec", by_netspec(run, framework)[0]
            yield name, "own start", by_hand(run, framework).accuracy
            yield name, "same start", by_hand(started(run), framework).accuracy
        for seed in range(min(seeds, FEW)):
            run = Run(name, data, seed, rate)
            if framework == "keras":
                for what, own in KERAS.items():
                    if own != SAME and (own == Constants() or name == "digits"):
                        yield name, what, by_hand(run, framework, own).accuracy
            for case, (optimizer, drops) in EXACT.items():
                left = run._replace(precision="float64", optimizer=optimizer, rate=rate * drops)
                accuracy, weights = by_netspec(left, framework)
                end = by_hand(started(left, drops), framework)
                yield name, f"netspec, {case}", accuracy
                yield name, f"same start, {case}", end.accuracy
                yield name, f"weights apart, {case}", apart(weights, end.weights, framework)


Found: TypeAlias = dict[str, list[float]]
"""A number for each seed, by `framework | data | what was done`."""


def accuracies(found: Found) -> Iterator[str]:
    """What each way reaches by itself, over the first seeds."""
    yield "| data | trained by | accuracy | standard error |"
    yield "|---|---|---|---|"
    for name in DROPOUT:
        for framework in FRAMEWORKS:
            own = "by hand, torch" if framework == "torch" else "by hand, keras, the same network"
            ways = {"netspec": f"netspec, {framework}", "own start": own}
            for way, words in (ways | {what: f"by hand, keras, {what}" for what in KERAS}).items():
                if values := found.get(f"{framework} | {name} | {way}", [])[:FEW]:
                    error = standard_error(values)
                    yield f"| {name} | {words} | {mean(values):.2%} | {error:.2%} |"


def standard_error(values: Sequence[float]) -> float:
    """Of the mean."""
    return stdev(values) / len(values) ** 0.5


def differences(found: Found) -> Iterator[str]:
    """How much more netspec reaches than the same network by hand, over few seeds and over all."""
    yield "| data | framework | first weights and order by hand | seeds | difference | standard error |"
    yield "|---|---|---|---|---|---|"
    for name in DROPOUT:
        for framework in FRAMEWORKS:
            key = f"{framework} | {name}"
            for way, words in (("same start", "netspec's"), ("own start", "the framework's")):
                ours, theirs = (np.array(found[f"{key} | {each}"]) for each in ("netspec", way))
                for count in sorted({min(FEW, len(ours)), len(ours)}):
                    taken = ours[:count], theirs[:count]
                    if way == "same start":
                        error = standard_error(taken[0] - taken[1])
                    else:
                        error = np.hypot(*map(standard_error, taken))
                    difference = mean(taken[0]) - mean(taken[1])
                    yield f"| {name} | {framework} | {words} | {count} | {difference:+.2%} | {error:.2%} |"


def exact(found: Found) -> Iterator[str]:
    """What is left of the difference where nothing is left to chance."""
    yield "| data | framework | run | equal accuracies | weights apart, at most |"
    yield "|---|---|---|---|---|"
    for name in DROPOUT:
        for framework in FRAMEWORKS:
            for case in EXACT:
                ours, theirs, distance = (
                    found[f"{framework} | {name} | {what}, {case}"]
                    for what in ("netspec", "same start", "weights apart")
                )
                equal = sum(a == b for a, b in zip(ours, theirs, strict=True))
                yield f"| {name} | {framework} | {case} | {equal} of {len(ours)} | {max(distance):.0e} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--framework", choices=FRAMEWORKS, help="only this; prints JSON")
    options = parser.parse_args()
    if options.framework:
        found: Found = {}
        for name, what, value in measure(options.framework, options.seeds):
            found.setdefault(f"{options.framework} | {name} | {what}", []).append(value)
        print(json.dumps(found))
        return
    command = [sys.executable, __file__, "--seeds", str(options.seeds), "--framework"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    found = {}
    for framework in FRAMEWORKS:
        done = subprocess.run(
            [*command, framework], env=environment, stdout=subprocess.PIPE, check=True
        )
        found |= json.loads(done.stdout.splitlines()[-1])
    for lines in (accuracies, differences, exact):
        print("\n".join(lines(found)), end="\n\n")


if __name__ == "__main__":
    main()
