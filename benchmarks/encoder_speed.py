"""How fast ONNX Runtime runs our transformer encoders, against PyTorch's own export of the same network."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from ort_speed import run, session
from paired import Result, main, paired

import netspec
from netspec.backends.torch.engines import export
from netspec.bench.pairing import timed

ENCODER = """
net encoder(c=64, t=64, layers=4, heads=4) {
  input t c
  repeat layers { encoder_layer heads }
}
"""
GOALS = {64: 0.8, 256: 0.95}
WAYS = {
    "one thread": (1, "wall"),
    "two threads": (2, "wall"),
    "one thread, processor time": (1, "processor"),
}
"""Threads, and what a second is; processor time says something on a busy machine, too."""


def measure(quick: bool) -> list[Result]:
    torch.set_num_threads(1)
    results = []
    for width, goal in list(GOALS.items())[: 1 if quick else None]:
        graph = netspec.parse(ENCODER, overrides={"c": width, "t": 8 if quick else 64})
        results += compare(width, graph, goal, pairs=2 if quick else 150 * 64 // width)
    return results


def compare(width: int, graph: netspec.Graph, goal: float, pairs: int) -> list[Result]:
    weights = netspec.init_weights(graph)
    sizes = graph.inputs[0].shape.sizes
    results = []
    with TemporaryDirectory() as folder:
        theirs = Path(folder, "theirs.onnx")
        module = netspec.build(graph, target="torch", weights=weights)
        export(module, [torch.zeros(2, *sizes)], theirs)
        for opset in (20, 23):
            ours = Path(folder, f"ours{opset}.onnx")
            made = netspec.compile(graph, target="onnx", weights=weights, opset=opset)
            ours.write_bytes(made.content)
            for way, (threads, clock) in WAYS.items():
                models = [session(path, threads) for path in (ours, theirs)]
                for batch in (1, 8):
                    x = np.random.default_rng(0).standard_normal((batch, *sizes), np.float32)
                    found, wanted = (run(model, x) for model in models)
                    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * abs(wanted).max())
                    runs = [timed(lambda m=m, x=x: run(m, x), 8 // batch, clock) for m in models]
                    title = (
                        f"an encoder of width {width} in ONNX Runtime, batch {batch}, {way}: "
                        f"our graph at opset {opset} / PyTorch's export"
                    )
                    results.append(paired(title, *runs, pairs=pairs, highest=goal))
    return results


if __name__ == "__main__":
    main(measure)
