"""INT8: how fast our conversion runs against ONNX Runtime's own of PyTorch's export, and what it costs in accuracy.

The networks are those of many tutorials, padded convolutions with activation before batch norm: every
exporter keeps these norms, and in INT8 each is computed in float32 with conversions around it. The rival is
the fastest of ONNX Runtime's tools' conversions of the same network: with and without its pre-processing, with
unsigned and signed activations. What is possible at all, our conversion of the network without its norms shows.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import geometric_mean, mean, stdev
from tempfile import TemporaryDirectory

import numpy as np
import torch
from onnxruntime import quantization
from paired import Result, against, main
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import netspec
from netspec.backends.torch.engines import export
from netspec.bench.race import race
from netspec.bench.workers import Entrant
from netspec.passes import Model
from netspec.quantization import Thresholds, quantize
from netspec.quantization.convert import to_onnx
from netspec.quantization.data import Data
from netspec.weights import random_weights

PLAIN = """
net plain(width=32, depth=6) {
  input 3 32 32
  repeat depth { conv width 3 padding=1 -> relu -> bn }
  gap -> dense 10
}
"""
PYRAMID = """
net pyramid(width=32) {
  input 3 32 32
  for c in [width, 2 * width, 4 * width] {
    repeat 2 { conv c 3 padding=1 -> relu -> bn }
    pool 2
  }
  gap -> dense 10
}
"""
DIGITS = """
net digits(width=16) {
  input 1 8 8
  repeat 3 { conv width 3 padding=1 -> relu -> bn }
  pool 2 -> conv 2*width 3 padding=1 -> relu -> bn -> gap -> dense 10
}
"""
NETWORKS = (
    (PLAIN, {"width": 16}),
    (PLAIN, {"width": 32}),
    (PLAIN, {"width": 64}),
    (PYRAMID, {"width": 32}),
)
EPOCHS = 12
ANYTHING = Thresholds(max_error=np.inf)


def measure(quick: bool) -> list[Result]:
    logging.disable(logging.WARNING)  # the tools advise what is done
    if quick:
        small = [(PLAIN, {"width": width, "depth": 2}) for width in (8, 12)]
        return [*speeds(small, [1], 2), *accuracy([0, 1], epochs=1)]
    return [*speeds(NETWORKS, [1, 32], 60), *accuracy(range(5), EPOCHS)]


def speeds(
    networks: Sequence[tuple[str, dict[str, object]]], batches: list[int], rounds: int
) -> Iterator[Result]:
    """Each network's speed, and that of all of them together."""
    goals: dict[int, list[Result]] = {batch: [] for batch in batches}
    for text, settings in networks:
        for batch, goal, *others in speed(text, settings, batches, rounds):
            goals[batch].append(goal)
            yield from (goal, *others)
    for batch, found in goals.items():
        yield Result(
            f"in INT8, batch {batch}: ours / the fastest other, geometric mean of these networks",
            geometric_mean(each.value for each in found),
            "x",
            highest=0.7,
        )


def speed(
    text: str, settings: dict[str, object], batches: list[int], rounds: int
) -> Iterator[tuple[int, Result, Result, Result]]:
    """By batch size, ours against the fastest of the others, against no norms, and against float32."""
    graph = netspec.parse(text, overrides=settings)
    weights = random_weights(graph, 0)
    (node,) = graph.inputs
    images = np.random.default_rng(0).standard_normal((32, *node.shape.sizes), np.float32)
    data = Data({node.name: images})
    with TemporaryDirectory() as name:
        folder = Path(name)
        bare = netspec.parse(text.replace(" -> bn", ""), overrides=settings)
        for kind, net, held in (("ours", graph, weights), ("bare", bare, random_weights(bare, 0))):
            content = quantize(net, held, data, thresholds=ANYTHING, rounds=0).content
            (folder / f"{kind}.onnx").write_bytes(content)
        (folder / "float32.onnx").write_bytes(to_onnx(Model(graph, weights)))
        others = list(of_the_tools(graph, weights, data, folder))
        names = ["ours", "float32", "bare", *others]
        entrants = [Entrant(n, "netspec.bench.files", "ort", folder / f"{n}.onnx") for n in names]
        feeds = {batch: {node.name: images[:batch]} for batch in batches}
        rows = race(entrants, feeds, judge=lambda *_: None, rounds=rounds, clock="processor").rows
    title = f"{graph.name}, width {settings['width']}, in INT8"
    for batch in batches:
        found = {row.name: row for row in rows if row.batch == batch}
        best = min(others, key=lambda each: found[each].ratio.median)
        what = f"{title}, batch {batch}: ours"
        yield (
            batch,
            against(f"{what} / {best}", found["ours"], found[best], 0.7),
            against(f"{what} / ours without norms", found["ours"], found["bare"]),
            against(f"{what} / float32", found["ours"], found["float32"]),
        )


def of_the_tools(
    graph: netspec.Graph, weights: dict[str, np.ndarray], data: Data, folder: Path
) -> Iterator[str]:
    """Write what ONNX Runtime's tools make of PyTorch's export; gives names of files."""
    (node,) = graph.inputs
    module = netspec.build(graph, target="torch", weights=weights)
    export(module, [torch.zeros(2, *node.shape.sizes)], folder / "export.onnx", inputs=["input"])
    quantization.quant_pre_process(folder / "export.onnx", folder / "prepared.onnx")

    class Reader(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self.waiting = data.batches()

        def get_next(self):
            return next(self.waiting, None)

    for source in ("export", "prepared"):
        for letter, kind in (
            ("u8", quantization.QuantType.QUInt8),
            ("s8", quantization.QuantType.QInt8),
        ):
            quantization.quantize_static(
                folder / f"{source}.onnx",
                folder / f"{source}-{letter}.onnx",
                Reader(),
                quant_format=quantization.QuantFormat.QDQ,
                per_channel=True,
                activation_type=kind,
                weight_type=quantization.QuantType.QInt8,
            )
            yield f"{source}-{letter}"


def accuracy(seeds: range | list[int], epochs: int) -> Iterator[Result]:
    """What INT8 loses on held-out digits, in standard errors of the float32 networks' mean accuracy."""
    digits = load_digits()
    images = (digits.images[:, None] / 16).astype(np.float32)
    parts = train_test_split(images, digits.target, random_state=0, stratify=digits.target)
    learn, test, learn_labels, test_labels = parts
    graph = netspec.parse(DIGITS)
    before: list[float] = []
    after: list[float] = []
    for seed in seeds:
        weights = trained(graph, learn, learn_labels, seed, epochs)
        report = quantize(
            graph,
            weights,
            Data({"input": learn[:512]}),
            evaluation=Data({"input": test}, test_labels),
            rounds=0,
        )
        before.append(report.findings[0].before)
        after.append(report.findings[0].after)
    error = stdev(before) / len(before) ** 0.5
    yield Result("digits, accuracy in float32", 100 * mean(before), "%")
    yield Result("digits, accuracy in INT8", 100 * mean(after), "%")
    drop = round(mean(before) - mean(after), 9)
    yield Result(
        f"digits, what INT8 loses, in standard errors ({100 * error:.2f} points)",
        max(drop / error, 0) if error else float(drop > 0),
        "",
        highest=1,
    )


def trained(
    graph: netspec.Graph, images: np.ndarray, labels: np.ndarray, seed: int, epochs: int
) -> dict[str, np.ndarray]:
    """The weights after a plain loop."""
    torch.manual_seed(seed)
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    model = netspec.build(graph, target="torch", seed=seed).train()
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(32):
            loss = torch.nn.functional.cross_entropy(model(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return netspec.get_weights(model, graph, target="torch")


if __name__ == "__main__":
    main(measure)
