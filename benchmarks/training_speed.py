"""How fast `netspec train` takes its steps, against a loop and a `fit` as anybody would write them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise

from paired import Result, main, paired

import netspec
from netspec.training import Data, Part, Recipe
from netspec.training.run import Observer, train
from netspec.weights import np

NETWORKS = {
    "a CNN of four convolutions": """net cnn {
        input 3 32 32
        conv 32 3 padding=1 -> relu -> conv 32 3 padding=1 -> relu -> pool 2
        -> conv 64 3 padding=1 -> relu -> conv 64 3 padding=1 -> relu -> pool 2
        -> dense 256 -> relu -> dense 10
    }""",
    "the same with batch norm": """net cnn_bn {
        input 3 32 32
        conv 32 3 padding=1 bias=false -> bn -> relu -> conv 32 3 padding=1 bias=false -> bn -> relu -> pool 2
        -> conv 64 3 padding=1 bias=false -> bn -> relu -> conv 64 3 padding=1 bias=false -> bn -> relu -> pool 2
        -> dense 256 -> relu -> dense 10
    }""",
    "a dense network": "net mlp { input 64 -> dense 256 -> relu -> dense 256 -> relu -> dense 10 }",
}
BATCH = 32


class Clock(Observer):
    """The processor time of each epoch."""

    def __init__(self) -> None:
        self.marks: list[float] = []

    def begin(self, _epochs: range, _steps: int) -> None:
        """Start."""
        self.marks = [time.process_time()]

    def epoch(self, _row: object) -> None:
        """The end of an epoch."""
        self.marks.append(time.process_time())

    @property
    def seconds(self) -> float:
        """The shortest epoch but the first."""
        return min(late - early for early, late in list(pairwise(self.marks))[1:])


def examples(graph: netspec.Graph, steps: int) -> Data:
    draws = np.random.default_rng(0)
    x = draws.normal(size=(steps * BATCH, *graph.inputs[0].shape.sizes)).astype(np.float32)
    return Data("drawn", Part({"x": x}, draws.integers(0, 10, len(x))))


def by_netspec(
    graph: netspec.Graph, data: Data, framework: str, epochs: int
) -> Callable[[], float]:
    def run() -> float:
        clock = Clock()
        train(graph, data, Recipe(epochs=epochs, batch=BATCH), framework, observer=clock)
        return clock.seconds

    return run


def by_hand_torch(graph: netspec.Graph, data: Data, epochs: int) -> Callable[[], float]:
    """Loss, accuracy and a step of Adam, as tutorials write them."""
    import torch

    x, y = torch.from_numpy(data.train.x["x"]), torch.from_numpy(data.train.y)

    def run() -> float:
        model = netspec.build(graph, target="torch").train()
        optimizer = torch.optim.Adam(model.parameters())
        found = []
        for _ in range(epochs):
            start, total, right = time.process_time(), 0.0, 0
            for batch in torch.randperm(len(x)).split(BATCH):
                outputs = model(x[batch])
                loss = torch.nn.functional.cross_entropy(outputs, y[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item() * len(batch)
                right += (outputs.argmax(1) == y[batch]).sum().item()
            found.append(time.process_time() - start)
        return min(found[1:])

    return run


def by_hand_keras(graph: netspec.Graph, data: Data, epochs: int) -> Callable[[], float]:
    """`compile` and `fit`, with the same network, loss, metric and optimizer."""
    import keras

    x, y = data.train.x["x"], data.train.y
    x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if x.ndim == 4 else x
    marks: list[float] = []

    class Marks(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_begin(self, _logs: object = None) -> None:
            marks[:] = [time.process_time()]

        def on_epoch_end(self, _epoch: int, _logs: object = None) -> None:
            marks.append(time.process_time())

    def run() -> float:
        model = netspec.build(graph, target="keras")
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, metrics=["accuracy"])
        model.fit(x, y, BATCH, epochs, verbose=0, callbacks=[Marks()])
        return min(late - early for early, late in list(pairwise(marks))[1:])

    return run


def measure_in(framework: str, quick: bool) -> list[Result]:
    """In a process that has one of the frameworks."""
    if framework == "torch":
        import torch

        torch.set_num_threads(1)
    results = []
    for title, text in NETWORKS.items():
        graph = netspec.parse(text)
        deep = len(graph.inputs[0].shape.sizes) == 3
        data = examples(graph, 4 if quick else 16 if deep else 400)
        epochs = 2 if quick else 3
        mine = by_netspec(graph, data, framework, epochs)
        by_hand = by_hand_torch if framework == "torch" else by_hand_keras
        what = f"{title}, batch {BATCH}, {framework}: netspec train / by hand"
        highest = 0.75 if deep and framework == "torch" else 1.03
        pairs = 2 if quick else 7
        results.append(
            paired(what, mine, by_hand(graph, data, epochs), pairs=pairs, highest=highest)
        )
    return results


def measure(quick: bool) -> list[Result]:
    results = []
    for framework in ("torch", "keras"):
        command = [sys.executable, __file__, "--json", *["--quick"] * quick]
        environment = {
            **os.environ,
            "NETSPEC_TRAINING_SPEED": framework,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "OMP_NUM_THREADS": "1",
        }
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
        results += [Result(**each) for each in json.loads(done.stdout.splitlines()[-1])]
    return results


if __name__ == "__main__":
    only = os.environ.get("NETSPEC_TRAINING_SPEED")
    main(measure if only is None else lambda quick: measure_in(only, quick))
