"""What a step of `netspec train` costs, against a loop and a `fit` as anybody would write them.

Each is a process of its own, since what one leaves of the heap or of threads changes the other's time. They
take turns, an epoch each, so that a pair of epochs drifts together, however the machine is used; and they are
started several times, since where a process happens to lie in memory is worth some per cent.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypeAlias

from paired import Result, main

import netspec
from netspec.bench.pairing import ratios, take_turns
from netspec.training import Data, Part, Recipe
from netspec.training.run import Observer, train
from netspec.weights import np

BATCH = 32
STARTS = {"torch": 3, "keras": 2}
"""How often both processes are started: Keras takes long to build its graphs."""
PAIRS = 9
"""Of epochs that count, at each start; two more warm up."""
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
        12,
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
        150,
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
        10,
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


LOOPS: Mapping[str, tuple[Loop, Loop]] = {
    "torch": (by_netspec("torch"), torch_by_hand),
    "keras": (by_netspec("keras"), keras_by_hand),
}


def serve(framework: str, place: str, quick: bool) -> None:
    """Train all networks by one of the loops, a turn for each line on stdin; answer with its processor seconds.

    The first turn of a network builds it, and the last ends its run.
    """
    on_one_thread(framework)
    with os.fdopen(os.dup(1), "w") as out:
        os.dup2(2, 1)  # frameworks talk
        since = 0.0

        def finish() -> None:
            nonlocal since
            print(time.process_time() - since, file=out, flush=True)
            if not sys.stdin.readline():
                raise SystemExit
            since = time.process_time()

        sys.stdin.readline()
        for network, pairs in plan(quick):
            graph = netspec.parse(network.text)
            data = examples(graph, network.steps * BATCH)
            LOOPS[framework][int(place)](graph, data, pairs + 2, finish)
            finish()


def on_one_thread(framework: str) -> None:
    """Import the framework, and have it compute on one thread."""
    if framework == "torch":
        import torch

        torch.set_num_threads(1)
    else:
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(1)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)


def plan(quick: bool) -> list[tuple[Network, int]]:
    """Which networks are measured, over how many pairs of epochs."""
    if quick:
        return [(network._replace(steps=QUICK), QUICK) for network in NETWORKS[::3]]
    return [(network, PAIRS) for network in NETWORKS]


class Runner:
    """One of the loops of a framework, in a process of its own."""

    def __init__(self, framework: str, place: int, quick: bool) -> None:
        environment = {
            **os.environ,
            "NETSPEC_TRAINING_SPEED": f"{framework} {place}",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "OMP_NUM_THREADS": "1",
        }
        self._process = subprocess.Popen(
            [sys.executable, __file__, *["--quick"] * quick],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def start(self) -> None:
        """Begin a turn."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")

    def end(self) -> float:
        """Wait for the end of the turn: its seconds."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("a process has ended before its turn; its last words are above")
        return float(line)

    def turn(self) -> float:
        """A turn while the other one waits."""
        self.start()
        return self.end()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


def together(runners: tuple[Runner, Runner]) -> None:
    """A turn of both that does not count."""
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.end()


def rounds(framework: str, quick: bool) -> Iterator[tuple[Network, list[tuple[float, ...]]]]:
    """Seconds of an epoch by netspec and by hand, in pairs, network by network, from one start."""
    with ExitStack() as stack:
        runners = (Runner(framework, 0, quick), Runner(framework, 1, quick))
        for runner in runners:
            stack.callback(runner.close)
        for network, pairs in plan(quick):
            together(runners)
            together(runners)
            yield network, list(take_turns([runner.turn for runner in runners], pairs))
            together(runners)


def measure(quick: bool) -> list[Result]:
    results = []
    for framework, starts in STARTS.items():
        found: dict[Network, list[tuple[float, ...]]] = {}
        for _ in range(1 if quick else starts):
            for network, pairs in rounds(framework, quick):
                steps = [tuple(each / network.steps for each in pair) for pair in pairs]
                found.setdefault(network, []).extend(steps)
        for network, times in found.items():
            ratio = ratios(times, 0, base=1)
            images = netspec.parse(network.text).inputs[0].shape.kind == "image"
            results.append(
                Result(
                    f"{network.title}, batch {BATCH}, {framework}, a step: `netspec train` / by hand",
                    ratio.median,
                    "x",
                    highest=0.75 if framework == "torch" and images else 1.03,
                    quartiles=(ratio.low, ratio.high),
                    seconds=(median(a for a, _ in times), median(b for _, b in times)),
                )
            )
    return results


if __name__ == "__main__":
    if (runner := os.environ.get("NETSPEC_TRAINING_SPEED")) is None:
        main(measure)
    else:
        serve(*runner.split(), quick="--quick" in sys.argv)
