"""What `netspec train` and handwritten training reach on data that are held out, over five seeds. Prints a table.

A network that is written in Keras by hand has Keras's constants, of which four are others than the spec's. So it is
trained as Keras has it, with each of the four changed alone, and with all four: then it is the same network.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

import netspec
from netspec.training import Data, Recipe, load_data, train
from netspec.weights import np

EXAMPLES = Path(__file__).parent.parent / "examples"
BATCH = 32


def tasks() -> list[tuple[str, netspec.Graph, int]]:
    """Data, network and epochs: N2 on images, and a tabular network with batch norm and dropout."""
    tabular = "net t { input 30 -> dense 32 -> bn -> relu -> dropout 0.2 -> dense 2 }"
    return [
        ("digits", netspec.load(EXAMPLES / "n2.net", input_shape=(1, 8, 8)), 12),
        ("breast-cancer", netspec.parse(tabular), 12),
    ]


def torch_by_hand(name: str, data: Data, epochs: int, seed: int) -> float:
    """The network, the loop and the test as a tutorial has them: PyTorch's initial weights, order and dropout."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    if name == "digits":
        model = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(512, 128),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(128, 10),
        )
    else:
        model = nn.Sequential(
            nn.Linear(30, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 2)
        )
    x, y = torch.from_numpy(data.train.x["x"]), torch.from_numpy(data.train.y)
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(BATCH):
            loss = nn.functional.cross_entropy(model(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.eval()
    found = model(torch.from_numpy(data.test.x["x"])).argmax(1).numpy()
    return float((found == data.test.y).mean())


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


def keras_by_hand(name: str, data: Data, epochs: int, seed: int, own: Constants) -> float:
    """The same in Keras, with its initial weights, order and dropout."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    if name == "digits":
        stack = [
            layers.Conv2D(32, 3, padding="same", **own.start(9)),
            own.norm(),
            layers.ReLU(),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(128, activation="relu", **own.start(512)),
            layers.Dropout(0.5),
            layers.Dense(10, **own.start(128)),
        ]
    else:
        stack = [
            layers.Dense(32, **own.start(30)),
            own.norm(),
            layers.ReLU(),
            layers.Dropout(0.2),
            layers.Dense(2, **own.start(32)),
        ]
    held = [part.x["x"] for part in (data.train, data.test)]
    x, test_x = (part.transpose(0, 2, 3, 1) if part.ndim == 4 else part for part in held)
    model = keras.Sequential(stack)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(epsilon=own.adam_epsilon), loss, metrics=["accuracy"])
    model.fit(x, data.train.y, BATCH, epochs, verbose=0)
    found = model.predict(test_x, verbose=0).argmax(1)
    return float((found == data.test.y).mean())


def by_hand(
    framework: str, name: str, data: Data, epochs: int, seed: int, same: bool
) -> list[tuple[str, float]]:
    """What was trained, and its accuracy. Each of Keras's constants is tried on images alone."""
    if framework == "torch":
        return [("by hand, torch", torch_by_hand(name, data, epochs, seed))]
    wanted = list(KERAS) if name == "digits" else ["Keras's constants", "the same network"]
    wanted = wanted[-1:] if same else wanted
    return [
        (f"by hand, keras, {what}", keras_by_hand(name, data, epochs, seed, KERAS[what]))
        for what in wanted
    ]


def run(framework: str, seeds: int, same: bool) -> dict[str, list[float]]:
    """Accuracies by data and way, a number for each seed."""
    found: dict[str, list[float]] = {}
    for name, graph, epochs in tasks():
        data = load_data(name)
        for seed in range(seeds):
            recipe = Recipe(epochs=epochs, batch=BATCH, seed=seed)
            result = train(graph, data, recipe, framework)
            assert result.test is not None
            reached = [(f"netspec, {framework}", result.test["accuracy"])]
            for what, accuracy in reached + by_hand(framework, name, data, epochs, seed, same):
                found.setdefault(f"{name} | {what}", []).append(accuracy)
    return found


def table(found: dict[str, list[float]]) -> str:
    """Means with their standard errors."""
    lines = ["| data | trained by | accuracy | standard error |", "|---|---|---|---|"]
    for what, values in found.items():
        error = stdev(values) / np.sqrt(len(values))
        lines.append(f"| {what} | {mean(values):.2%} | {error:.2%} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--framework", choices=["torch", "keras"], help="only this; prints JSON")
    parser.add_argument("--same", action="store_true", help="no network with Keras's constants")
    options = parser.parse_args()
    if options.framework:
        print(json.dumps(run(options.framework, options.seeds, options.same)))
        return
    found: dict[str, list[float]] = {}
    for framework in ("torch", "keras"):
        command = [sys.executable, __file__, "--framework", framework]
        command += ["--seeds", str(options.seeds), *["--same"] * options.same]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
        found |= json.loads(done.stdout.splitlines()[-1])
    print(table(dict(sorted(found.items()))))


if __name__ == "__main__":
    main()
