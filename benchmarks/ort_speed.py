"""How fast ONNX Runtime runs our graph, against PyTorch's own export of the same network."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
import torch
from networks import EXAMPLES
from paired import Result, main, paired

import netspec
from netspec.backends.torch.engines import export
from netspec.bench.pairing import timed


def measure(quick: bool) -> list[Result]:
    n2 = netspec.load(EXAMPLES / "n2.net")
    if quick:
        return compare("N2", n2, {1: 3, 8: 3, 64: 3}, repeat=3)
    resnet = netspec.load(EXAMPLES / "resnet18.net")
    return [
        *compare("ResNet-18", resnet, {1: 60, 8: 20}, repeat=1),
        *compare("N2", n2, {1: 60, 64: 60}, repeat=50),
    ]


def compare(
    name: str, graph: netspec.Graph, pairs_of_batch: dict[int, int], repeat: int
) -> list[Result]:
    weights = netspec.init_weights(graph)
    sizes = graph.inputs[0].shape.sizes
    with TemporaryDirectory() as folder:
        ours, theirs = Path(folder, "ours.onnx"), Path(folder, "theirs.onnx")
        ours.write_bytes(netspec.compile(graph, target="onnx", weights=weights).content)
        export(
            netspec.build(graph, target="torch", weights=weights), [torch.zeros(2, *sizes)], theirs
        )
        sessions = [session(ours), session(theirs)]
    results = []
    for batch, pairs in pairs_of_batch.items():
        images = np.random.default_rng(0).standard_normal((batch, *sizes), np.float32)
        answers = [run(each, images) for each in sessions]
        np.testing.assert_allclose(*answers, rtol=0, atol=1e-5 * np.abs(answers[0]).max())
        runs = [timed(lambda each=each, x=images: run(each, x), repeat) for each in sessions]
        title = f"{name} in ONNX Runtime, batch {batch}: our graph / PyTorch's export"
        results.append(paired(title, *runs, pairs=pairs, highest=1.03))
    return results


def session(path: Path, threads: int = 1) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run(model: onnxruntime.InferenceSession, images: np.ndarray) -> np.ndarray:
    return model.run(None, {model.get_inputs()[0].name: images})[0]


if __name__ == "__main__":
    main(measure)
