"""Networks trained with branches, after `-O`, against those merged by hand, in ONNX Runtime; what the passes take."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from networks import EXAMPLES
from ort_speed import run, session
from paired import Result, main, paired

import netspec
from netspec.bench.pairing import Run, timed
from netspec.weights import random_weights

Arrays = Mapping[str, np.ndarray]
NORM = ("weight", "bias", "running_mean", "running_var")

NETS = {"repvgg_a0": "RepVGG-A0", "mobileone_s0": "MobileOne-S0"}
BLOCKS = {
    "blocks of 3x3, 1x1 and identity": (
        "repeat 4 { add { conv 64 3 padding=1 bias=false -> bn | conv 64 1 bias=false -> bn | bn } -> relu }",
        "repeat 4 { conv 64 3 padding=1 -> relu }",
    ),
    "blocks of four 3x3": (
        """
        repeat 4 {
          add {
            conv 64 3 padding=1 bias=false -> bn | conv 64 3 padding=1 bias=false -> bn
          | conv 64 3 padding=1 bias=false -> bn | conv 64 3 padding=1 bias=false -> bn
          } -> relu
        }
        """,
        "repeat 4 { conv 64 3 padding=1 -> relu }",
    ),
    "three 1x1 side by side": (
        "concat { conv 64 1 -> relu | conv 96 1 -> relu | conv 32 1 -> relu } -> conv 64 1",
        "conv 192 1 -> relu -> conv 64 1",
    ),
}
"""Of 64 channels at 56 x 56: as they are trained, and as one would write them for inference."""


def measure(quick: bool) -> list[Result]:
    results = []
    for net, title in NETS.items():
        results += network(net, title, size=64 if quick else 224, pairs=3 if quick else 60)
    for title, (trained, merged) in BLOCKS.items():
        results += block(title, trained, merged, pairs=3 if quick else 60)
    resnet = netspec.load(EXAMPLES / "resnet50.net")
    return [*results, passes("ResNet-50", resnet, random_weights(resnet))]


def passes(title: str, graph: netspec.Graph, weights: Arrays) -> Result:
    """The time of a rewriting: the longest of three, of which the first finds nothing warm."""
    run = timed(lambda: netspec.optimize(graph, weights))
    return Result(f"{title}: all passes of -O", max(run() for _ in range(3)), "s", highest=1)


def network(net: str, title: str, size: int, pairs: int) -> list[Result]:
    """The network as it is trained and after the passes, over the one merged by the paper's formulas."""
    path = EXAMPLES / "zoo" / f"{net.partition('_')[0]}.net"
    trained = netspec.load(path, net=net, input_shape=(3, size, size))
    merged = netspec.load(path, net=net, input_shape=(3, size, size), overrides={"deploy": True})
    weights = random_weights(trained)
    by_hand = merge_by_hand(weights, {name: weight.shape for name, weight in merged.weights()})
    optimized = netspec.optimize(trained, weights)
    runs = {
        "as trained": (trained, weights),
        "-O": optimized[:2],
        "merged by hand": (merged, by_hand),
    }
    return [*against_last(title, runs, pairs), passes(title, trained, weights)]


def block(title: str, trained: str, merged: str, pairs: int) -> list[Result]:
    """The blocks after the passes, over those written with one layer each."""
    graph = netspec.parse(f"input 64 56 56\n{trained}")
    weights = random_weights(graph)
    optimized = netspec.optimize(graph, weights)
    plain = netspec.parse(f"input 64 56 56\n{merged}")
    renamed = zip((name for name, _ in plain.weights()), optimized.weights.values(), strict=True)
    runs = {
        "as trained": (graph, weights),
        "-O": optimized[:2],
        "written as one": (plain, dict(renamed)),
    }
    return against_last(title, runs, pairs)


def against_last(
    title: str, networks: Mapping[str, tuple[netspec.Graph, Arrays]], pairs: int
) -> list[Result]:
    """The time of each network over that of the last one, which computes the same."""
    names = list(networks)
    with TemporaryDirectory() as folder:
        sessions = []
        for number, (graph, weights) in enumerate(networks.values()):
            file = Path(folder, f"{number}.onnx")
            file.write_bytes(netspec.compile(graph, target="onnx", weights=weights).content)
            sessions.append(session(file))
    sizes = next(iter(networks.values()))[0].inputs[0].shape.sizes
    images = np.random.default_rng(0).standard_normal((1, *sizes), np.float32)
    answers = [run(each, images) for each in sessions]
    for answer in answers[:-1]:
        np.testing.assert_allclose(
            answer, answers[-1], rtol=0, atol=1e-4 * np.abs(answers[-1]).max()
        )
    runs = [spent(lambda each=each: run(each, images)) for each in sessions]
    return [
        paired(
            f"{title} in ONNX Runtime, batch 1: {name} / {names[-1]}",
            own,
            runs[-1],
            pairs=pairs,
            highest=1.03 if name == "-O" else None,
        )
        for name, own in zip(names[:-1], runs[:-1], strict=True)
    ]


def spent(function: Callable[[], object]) -> Run:
    """Runs of the function, measured in processor time: one thread computes all."""

    def run() -> float:
        start = time.process_time()
        count = 0
        while time.process_time() < start + 0.02 or not count:
            function()
            count += 1
        return (time.process_time() - start) / count

    return run


def merge_by_hand(weights: Arrays, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """The weights of the merged network by the formulas of RepVGG (Ding et al., 2021), section 3.3.

    A branch with its norm is a kernel `weight * gamma / std` and a bias `beta - mean * gamma / std`, a
    1 x 1 kernel the centre of a 3 x 3 one, and the identity a 1 x 1 kernel of ones.
    """
    found: dict[str, np.ndarray] = {}
    for name, shape in shapes.items():
        if name in weights:
            found[name] = weights[name]
        elif name.endswith(".weight"):
            stem = name.removesuffix(".weight")
            unit = stem.rpartition(".")[0]
            kernel, bias = np.zeros(shape), np.zeros(shape[0])
            for norm in (n.removesuffix(".running_var") for n in weights if n.endswith("var")):
                if norm.startswith(f"{unit}.rbr_"):
                    values = {each: weights[f"{norm}.{each}"].astype(float) for each in NORM}
                    scale = values["weight"] / np.sqrt(values["running_var"] + 1e-5)
                    own = branch_kernel(weights, norm, shape)
                    around = (shape[2] - own.shape[2]) // 2
                    own = np.pad(own, [(0, 0), (0, 0), (around, around), (around, around)])
                    kernel += own * scale.reshape(-1, 1, 1, 1)
                    bias += values["bias"] - values["running_mean"] * scale
            found[name], found[f"{stem}.bias"] = kernel.astype("f4"), bias.astype("f4")
    return found


def branch_kernel(weights: Arrays, norm: str, shape: tuple[int, ...]) -> np.ndarray:
    """The kernel in front of a norm, or that of the identity where there is none."""
    before = f"{norm.removesuffix('.bn')}.conv.weight"
    if norm.endswith(".bn"):
        return weights[before].astype(float)
    outputs, inputs = shape[:2]
    identity = np.zeros((outputs, inputs, 1, 1))
    identity[range(outputs), [i % inputs for i in range(outputs)]] = 1
    return identity


if __name__ == "__main__":
    main(measure)
