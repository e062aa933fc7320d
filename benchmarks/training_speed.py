"""What a step of `netspec train` costs, against a loop and a `fit` as anybody would write them.

Both train in one process, and hand each other the turn after every few steps: what one pair of such epochs takes
drifts together, however the machine is used.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from threading import Semaphore, Thread
from typing import NamedTuple, TypeAlias

from paired import Result, main

import netspec
from netspec.bench.pairing import ratios
from netspec.training import Data, Part, Recipe
from netspec.training.run import Observer, train
from netspec.weights import np

BATCH = 32
PAIRS = 15
"""Of epochs that count; two more warm up."""
QUICK = 2
"""Steps of an epoch, and pairs of epochs, where only is to be seen whether all runs."""


class Network(NamedTuple):
    """A network, and how many steps an epoch of it has here."""

    title: str
    text: str
    steps: int


NETWORKS = (
    Network(
        "the PyTorch tutorial's N2",
        (Path(__file__).parent.parent / "examples" / "n2.net").read_text(),
        8,
    ),
    Network(
        "a CNN of four convolutions",
        """net cnn {
            input 3 32 32
            conv 32 3 padding=1 -> relu -> conv 32 3 padding=1 -> relu -> pool 2
            -> conv 64 3 padding=1 -> relu -> conv 64 3 padding=1 -> relu -> pool 2
            -> dense 256 -> relu -> dense 10
        }""",
        4,
    ),
    Network(
        "the same with batch norm",
        """net cnn_bn {
            input 3 32 32
            conv 32 3 padding=1 bias=false -> bn -> relu -> conv 32 3 padding=1 bias=false -> bn -> relu -> pool 2
            -> conv 64 3 padding=1 bias=false -> bn -> relu -> conv 64 3 padding=1 bias=false -> bn -> relu -> pool 2
            -> dense 256 -> relu -> dense 10
        }""",
        4,
    ),
    Network(
        "a dense network",
        "net mlp { input 64 -> dense 256 -> relu -> dense 256 -> relu -> dense 10 }",
        100,
    ),
    Network(
        "an LSTM over 20 steps",
        "net recurrent { input 20 16 -> lstm 64 -> reduce_mean t -> dense 10 }",
        50,
    ),
    Network(
        "a transformer of two layers over 32 tokens",
        """net transformer {
            input 32 dtype=int
            embedding 100 64 -> encoder_layer 4 -> encoder_layer 4 -> reduce_mean t -> dense 10
        }""",
        8,
    ),
)

Finish: TypeAlias = Callable[[], None]
Loop: TypeAlias = Callable[[netspec.Graph, Data, int, Finish], None]
"""Trains for so many epochs, and calls what it is given at the end of each."""


def examples(graph: netspec.Graph, count: int) -> Data:
    """Random inputs and labels."""
    draws = np.random.default_rng(0)
    shape = (count, *graph.inputs[0].shape.sizes)
    if graph.inputs[0].shape.dtype == "int":
        x = draws.integers(0, 100, shape)
    else:
        x = draws.normal(size=shape).astype(np.float32)
    return Data("drawn", Part({"x": x}, draws.integers(0, 10, count)))


class Told(Observer):
    """Hands on the end of each epoch."""

    def __init__(self, finish: Finish) -> None:
        self._finish = finish

    def epoch(self, _row: Mapping[str, float]) -> None:
        """The end of an epoch."""
        self._finish()


def by_netspec(framework: str) -> Loop:
    """What the command does."""

    def run(graph: netspec.Graph, data: Data, epochs: int, finish: Finish) -> None:
        train(graph, data, Recipe(epochs=epochs, batch=BATCH), framework, observer=Told(finish))

    return run


def torch_by_hand(graph: netspec.Graph, data: Data, epochs: int, finish: Finish) -> None:
    """Loss, accuracy and a step of Adam, as tutorials write them."""
    import torch

    x, y = torch.from_numpy(data.train.x["x"]), torch.from_numpy(data.train.y)
    model = netspec.build(graph, target="torch").train()
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(epochs):
        total, right = 0.0, 0
        for batch in torch.randperm(len(x)).split(BATCH):
            outputs = model(x[batch])
            loss = torch.nn.functional.cross_entropy(outputs, y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
            right += (outputs.argmax(1) == y[batch]).sum().item()
        finish()


def keras_by_hand(graph: netspec.Graph, data: Data, epochs: int, finish: Finish) -> None:
    """`compile` and `fit`, with the same network, loss, metric and optimizer."""
    import keras

    x, y = data.train.x["x"], data.train.y
    x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if x.ndim == 4 else x
    model = netspec.build(graph, target="keras")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    told = keras.callbacks.LambdaCallback(on_epoch_end=lambda _epoch, _logs: finish())
    model.fit(x, y, BATCH, epochs, verbose=0, callbacks=[told])


def in_turns(
    loops: tuple[Loop, Loop], graph: netspec.Graph, data: Data, epochs: int
) -> list[tuple[float, float]]:
    """Processor time of each epoch of both, in pairs. Only one of them runs at any time."""
    turns = [Semaphore(1), Semaphore(0)]
    marks: list[list[float]] = [[], []]

    def run(place: int) -> None:
        since = 0.0

        def finish() -> None:
            nonlocal since
            marks[place].append(time.process_time() - since)
            turns[1 - place].release()
            turns[place].acquire()
            since = time.process_time()

        turns[place].acquire()
        since = time.process_time()
        loops[place](graph, data, epochs, finish)
        turns[1 - place].release()

    threads = [Thread(target=run, args=(place,)) for place in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return list(zip(*marks, strict=True))


def measure_in(framework: str, quick: bool) -> list[Result]:
    """In a process that has one of the frameworks, on one thread."""
    if framework == "torch":
        import torch

        torch.set_num_threads(1)
    else:
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(1)
    by_hand = torch_by_hand if framework == "torch" else keras_by_hand
    results = []
    for title, text, steps in NETWORKS[::3] if quick else NETWORKS:
        graph = netspec.parse(text)
        steps, pairs = (QUICK, QUICK) if quick else (steps, PAIRS)
        loops = (by_netspec(framework), by_hand)
        found = in_turns(loops, graph, examples(graph, steps * BATCH), pairs + 2)
        times = [(ours / steps, theirs / steps) for ours, theirs in found[2:]]
        ratio = ratios(times, 0, base=1)
        on_images = framework == "torch" and graph.inputs[0].shape.kind == "image"
        results.append(
            Result(
                f"{title}, batch {BATCH}, {framework}, a step: `netspec train` / by hand",
                ratio.median,
                "x",
                highest=0.75 if on_images else 1.03,
                quartiles=(ratio.low, ratio.high),
                seconds=(median(ours for ours, _ in times), median(other for _, other in times)),
            )
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
