"""What a thousand layers take on every target: text to model, a first run, a training step, each in a new process.

No goal is set for these times: the measurement is that nothing on the way bounds the depth.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

import numpy as np
from paired import Result, main

import netspec
from netspec.backend import load_backend
from netspec.weights import init_weights

LAYERS = 1000
NETWORKS = {
    "a chain of 1,000 layers": "input 16\nrepeat {count} {{ dense 16 }}",
    "1,000 residual blocks": (
        "block unit(c) {{ residual {{ conv c 3 padding=half bias=false -> bn -> relu }} }}\n"
        "net deep {{ input 3 8 8 -> conv 4 1 -> repeat {count} {{ unit 4 }} -> gap -> dense 4 }}"
    ),
}
TARGETS = ("torch", "keras", "onnx")


def measure(quick: bool) -> list[Result]:
    results = []
    for what in NETWORKS:
        for target in TARGETS:
            command = [
                sys.executable,
                __file__,
                "--alone",
                what,
                target,
                str(20 if quick else LAYERS),
            ]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            for step, seconds in json.loads(done.stdout.splitlines()[-1]).items():
                results.append(Result(f"{what}, {target}: {step}", seconds, "s"))
    return results


def alone(what: str, target: str, count: int) -> dict[str, float]:
    """Seconds for each step in this process, imports left out."""
    times: dict[str, float] = {}
    backend = load_backend(target)
    small = netspec.parse("input 2 -> dense 2")
    backend.open_session(small, init_weights(small, 0), "float32")
    begun = time.perf_counter()

    def lap(step: str) -> None:
        nonlocal begun
        times[step] = time.perf_counter() - begun
        begun = time.perf_counter()

    graph = netspec.parse(NETWORKS[what].format(count=count))
    weights = init_weights(graph, 0)
    lap("text to graph and weights")
    backend.emit(graph, weights)
    lap("graph to file")
    session = backend.open_session(graph, weights, "float32")
    lap("a live model")
    (node,) = graph.inputs
    feeds = {node.name: np.ones((2, *node.shape.sizes), np.float32)}
    outputs = session.predict(feeds)
    lap("a first run")
    if target != "onnx":
        session.train_step(feeds, {name: np.ones_like(y) for name, y in outputs.items()})
        lap("a training step")
    return times


if __name__ == "__main__":
    if sys.argv[1:2] == ["--alone"]:
        print(json.dumps(alone(sys.argv[2], sys.argv[3], int(sys.argv[4]))))
    else:
        main(measure)
