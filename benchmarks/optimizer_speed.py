"""How fast ONNX Runtime runs our optimized graphs, against what others make of the same networks.

The rivals: the graph as it is, PyTorch's own export, and what onnxslim and onnxsim make of the graph as it
is. ONNX Runtime rewrites all of them before it runs them: what becomes the same graph as ours takes the same time,
and is not measured. A trial finds the fastest of the others; then ours and that one run in turns, in one process. Where
in memory a session lies makes more of a difference than most of these graphs do, so they are opened again and again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from hashlib import sha256
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime
import onnxsim
import onnxslim
import torch
from networks import EXAMPLES
from ort_speed import session
from paired import Result, main, paired

import netspec
from netspec.backends.torch.engines import export
from netspec.bench.pairing import Run, ratios, take_turns, timed
from netspec.bench.race import TURN
from netspec.passes import OPTIMIZE
from netspec.weights import random_weights

RUNS = 4
"""In each session."""
VIEWS = ("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Identity")
"""Ops that take no time to speak of."""


class Case(NamedTuple):
    """A net of a file, and the size of its images."""

    file: str
    net: str
    size: tuple[int, ...]


TUTORIALS = [Case(f"n{i}", f"n{i}", () if i == 3 else (1, 28, 28)) for i in (1, 2, 3, 4)]
ZOO = [
    Case("unet", "unet", (3, 128, 128)),
    Case("tcn", "tcn", ()),
    Case("zoo/resnet", "resnet50", (3, 224, 224)),
    Case("zoo/resnet_v2", "resnet50_v2", (3, 224, 224)),
    Case("zoo/densenet", "densenet121", (3, 224, 224)),
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
        names = ["optimized", "as it is"]
        for rival, make in others.items():
            try:
                make(folder / f"{rival}.onnx")
            except Exception as error:  # a rival that fails does not run against ours
                print(f"{case.net}: {rival} fails: {error!r}", file=sys.stderr)
            else:
                names.append(rival)
        ours, *theirs = (executed(folder / f"{name}.onnx") for name in names)
        same = [name for name, form in zip(names[1:], theirs, strict=True) if form == ours]
        unlike = dict(zip(theirs, names[1:], strict=True))
        unlike.pop(ours, None)
        for batch in batches:
            given = inputs(graph, batch)
            check(folder, names, given)
            title = f"{case.net} in ONNX Runtime, batch {batch}: optimized / "
            if not unlike:
                yield Result(f"{title}any other (ONNX Runtime makes one graph of all)", 1, "x")
                continue
            runs = {
                each: reopening(folder / f"{each}.onnx", given)
                for each in ("optimized", *unlike.values())
            }
            best = fastest(runs, max(2, rounds // 4))
            pair = runs["optimized"], runs[best]
            found = paired(f"{title}{best}", *pair, pairs=rounds, highest=1.02)
            if same and found.value < 1:
                found = Result(f"{title}{same[0]} (ONNX Runtime makes one graph of both)", 1, "x")
            yield found


def executed(path: Path) -> str:
    """What ONNX Runtime makes of a model, without names and numbers: equal for graphs that take the same time."""
    with TemporaryDirectory() as name:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.optimized_model_filepath = str(Path(name, "optimized.onnx"))
        onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        graph = onnx.load(options.optimized_model_filepath).graph
    known = {tensor.name: f"{tensor.data_type} {list(tensor.dims)}" for tensor in graph.initializer}
    known |= {each.name: f"input {place}" for place, each in enumerate(graph.input)}
    for node in graph.node:
        fields = sorted(str(each) for each in node.attribute)
        parts = [node.op_type, *fields, *(known.get(name, "") for name in node.input)]
        if node.op_type in VIEWS:
            parts = ["view", parts[len(fields) + 1]]
        digest = sha256("\n".join(parts).encode()).hexdigest()
        known |= {name: f"{digest} {place}" for place, name in enumerate(node.output)}
    return " ".join(known[each.name] for each in graph.output)


def reopening(path: Path, given: Mapping[str, np.ndarray]) -> Run:
    """A run of a model in processor time, as long as a turn should be, in a new session every few times."""
    calls = count()
    run: Run = float

    def turn() -> float:
        nonlocal run
        if next(calls) % RUNS == 0:
            model = session(path)
            once = timed(lambda: model.run(None, given), 2, "processor")
            repeat = max(1, round(TURN / min(once(), once())))
            run = timed(lambda: model.run(None, given), repeat, "processor")
        return run()

    return turn


def fastest(runs: Mapping[str, Run], rounds: int) -> str:
    """The name of the fastest but the first."""
    taken = list(take_turns(list(runs.values()), rounds))
    ratio = {name: ratios(taken, place).median for place, name in enumerate(runs)}
    return min(list(runs)[1:], key=lambda name: ratio[name])


def check(folder: Path, names: list[str], given: Mapping[str, np.ndarray]) -> None:
    """Raise where a model gives another answer than the graph as it is."""
    answers = {name: session(folder / f"{name}.onnx").run(None, given) for name in names}
    for name, answer in answers.items():
        for found, wanted in zip(answer, answers["as it is"], strict=True):
            if not np.abs(found - wanted).max() <= 1e-3 * np.abs(wanted).max():
                raise RuntimeError(f"{name} gives another answer")


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


if __name__ == "__main__":
    main(measure)
