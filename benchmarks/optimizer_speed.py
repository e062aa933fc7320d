"""How fast ONNX Runtime runs our optimized graphs, against what others make of the same networks.

The rivals: the graph as it is, PyTorch's own export, and what onnxslim and onnxsim make of the graph as it
is. A race, each in a process of its own, finds the fastest of them; then ours and that one run in turns
in one process: how lucky a process is with its memory makes more of a difference than most of these graphs do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import onnx
import onnxsim
import onnxslim
import torch
from networks import EXAMPLES
from ort_speed import session
from paired import Result, main, paired

import netspec
from netspec.backends.torch.engines import export
from netspec.bench.engine import Arrays
from netspec.bench.pairing import timed
from netspec.bench.race import TURN, Row, race
from netspec.bench.workers import Entrant
from netspec.passes import OPTIMIZE
from netspec.runtime import open_session
from netspec.weights import random_weights

FILES = "netspec.bench.files"


class Case(NamedTuple):
    """A net of a file, and the size of its images."""

    file: str
    net: str
    size: tuple[int, ...]


TUTORIALS = [Case(f"n{i}", f"n{i}", () if i == 3 else (1, 28, 28)) for i in (1, 2, 3, 4)]
ZOO = [
    Case("unet", "unet", (3, 128, 128)),
    Case("tcn", "tcn", ()),
    Case("zoo/resnet", "resnet18", (3, 224, 224)),
    Case("zoo/resnet", "resnet50", (3, 224, 224)),
    Case("zoo/resnet_v2", "resnet50_v2", (3, 224, 224)),
    Case("zoo/densenet", "densenet121", (3, 224, 224)),
    Case("zoo/mobilenet", "mobilenet_v2", (3, 224, 224)),
    Case("zoo/mobilenet", "mobilenet_v3_small", (3, 224, 224)),
    Case("zoo/efficientnet", "efficientnet_b0", (3, 224, 224)),
    Case("zoo/googlenet", "googlenet", (3, 224, 224)),
    Case("zoo/squeezenet", "squeezenet1_1", (3, 224, 224)),
    Case("zoo/regnet", "regnet_y_400mf", (3, 224, 224)),
    Case("zoo/convnext", "convnext_tiny", (3, 224, 224)),
    Case("zoo/vit", "vit_b_32", (3, 224, 224)),
]


def measure(quick: bool) -> list[Result]:
    if quick:
        return [result for case in TUTORIALS[1:3] for result in rivals(case, [1, 2], 2)]
    found = [result for case in TUTORIALS for result in rivals(case, [1, 32], 40)]
    return [*found, *(result for case in ZOO for result in rivals(case, [1], 20))]


def rivals(case: Case, batches: list[int], rounds: int) -> Iterator[Result]:
    """Our optimized graph against the fastest of the others."""
    graph, weights = network(case)
    with TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "optimized.onnx", graph, weights, OPTIMIZE)
        write(folder / "as it is.onnx", graph, weights)
        model = onnx.load(folder / "as it is.onnx")
        others = {
            "onnxslim": lambda path: onnx.save(onnxslim.slim(model), path),
            "onnxsim": lambda path: onnx.save(onnxsim.simplify(model)[0], path),
            "torch's export": lambda path: export(
                netspec.build(graph, target="torch", weights=weights),
                [torch.zeros(2, *node.shape.sizes) for node in graph.inputs],
                path,
                inputs=[node.name for node in graph.inputs],
                outputs=[output.name for output in graph.outputs],
            ),
        }
        for rival, make in others.items():
            make(folder / f"{rival}.onnx")
        names = ["optimized", "as it is", *others]
        rows = timed_in(folder, names, graph, batches, rounds)
        for batch in batches:
            found = {row.name: row for row in rows if row.batch == batch}
            best = min(names[1:], key=lambda each: found[each].ratio.median)
            title = f"{case.net} in ONNX Runtime, batch {batch}: optimized / {best}"
            repeat = max(1, round(TURN / found[best].seconds.median))
            given = inputs(graph, batch)
            pair = [
                timed(lambda model=model, given=given: model.run(None, given), repeat, "processor")
                for model in (session(folder / f"{each}.onnx") for each in ("optimized", best))
            ]
            yield paired(title, *pair, pairs=rounds, highest=1.02)


def inputs(graph: netspec.Graph, batch: int) -> dict[str, np.ndarray]:
    draws = np.random.default_rng(0)
    return {
        node.name: draws.standard_normal((batch, *node.shape.sizes), np.float32)
        for node in graph.inputs
    }


def network(case: Case) -> tuple[netspec.Graph, dict[str, np.ndarray]]:
    """The graph of a case, and weights as a trained network has them."""
    given = {"input_shape": case.size} if case.size else {}
    path = EXAMPLES / f"{case.file}.net"
    graph = netspec.load(path, net=case.net, **given)
    return graph, random_weights(graph, 0)


def write(
    path: Path,
    graph: netspec.Graph,
    weights: Mapping[str, np.ndarray],
    passes: tuple[str, ...] = (),
) -> None:
    artifact = netspec.compile(graph, target="onnx", weights=weights, passes=passes)
    path.write_bytes(artifact.content)


def timed_in(
    folder: Path, names: list[str], graph: netspec.Graph, batches: list[int], rounds: int
) -> tuple[Row, ...]:
    """The rows of the models of a folder, in processor time. Raises where one fails."""
    feeds = {batch: inputs(graph, batch) for batch in batches}
    original = open_session(folder / "as it is.onnx")
    truth = {batch: original.run(arrays) for batch, arrays in feeds.items()}

    def judge(name: str, batch: int, answer: Arrays) -> str | None:
        pairs = [(answer[output], wanted) for output, wanted in truth[batch].items()]
        del name
        right = all(np.abs(a - b).max() <= 1e-3 * np.abs(b).max() for a, b in pairs)
        return None if right else "its answer is another"

    entrants = [Entrant(name, FILES, "ort", folder / f"{name}.onnx") for name in names]
    done = race(entrants, feeds, judge=judge, rounds=rounds, clock="processor")
    if done.faults:
        raise RuntimeError(str(done.faults[0]))
    return done.rows


if __name__ == "__main__":
    main(measure)
