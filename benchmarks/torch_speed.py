"""How fast emitted PyTorch infers and trains, and how long it is, against ResNets written by hand."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import torch
from networks import EXAMPLES, BasicBlock, Bottleneck, ResNet18, ResNet50
from paired import Result, main, paired
from torch import nn

import netspec
from netspec.bench.pairing import timed

NETWORKS = (
    ("ResNet-18", "resnet18", ResNet18, BasicBlock, 1),
    ("ResNet-50", "resnet50", ResNet50, Bottleneck, 2.2),
)
"""Title, spec, network and block by hand, and about how much slower than the first."""


def measure(quick: bool) -> list[Result]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    size = 32 if quick else 224
    results = []
    for title, spec, network, block, slower in NETWORKS:
        graph = netspec.load(EXAMPLES / f"{spec}.net", input_shape=(3, size, size))
        emitted = netspec.build(graph, target="torch", seed=0)
        handwritten = network()
        handwritten.load_state_dict(emitted.state_dict())

        def compare(
            what: str, runs: list[Callable[[], object]], pairs: float, title: str = title
        ) -> Result:
            first, second = map(timed, runs)
            what = f"{title} in PyTorch, {what}: emitted / handwritten"
            count = 3 if quick else int(pairs)
            return paired(what, first, second, pairs=count, lowest=0.97, highest=1.03)

        for batch, pairs in ((1, 75), (8, 25)):
            images = torch.randn(batch, 3, size, size)
            with torch.inference_mode():
                torch.testing.assert_close(emitted.eval()(images), handwritten.eval()(images))
            runs = [inference(model, images) for model in (emitted, handwritten)]
            results.append(compare(f"inference, batch {batch}", runs, pairs / slower))
        images = torch.randn(8, 3, size, size)
        runs = [training(model, images) for model in (emitted, handwritten)]
        results.append(compare("a training step, batch 8", runs, 15 / slower))
        by_hand = inspect.getsource(block) + inspect.getsource(network)
        lines = code_lines(netspec.compile(graph, target="torch").text), code_lines(by_hand)
        what = f"{title} in PyTorch, lines of code: emitted / handwritten"
        results.append(Result(what, lines[0] / lines[1], "x", highest=1.3))
    return results


def code_lines(source: str) -> int:
    """Lines that say something, without imports and the docstring of a file."""
    rows = source.partition("class ")[2].splitlines()
    return sum(bool(row.strip()) for row in rows)


def inference(model: nn.Module, images: torch.Tensor) -> Callable[[], object]:
    def run() -> None:
        model.eval()
        with torch.inference_mode():
            model(images)

    return run


def training(model: nn.Module, images: torch.Tensor) -> Callable[[], object]:
    labels = torch.arange(len(images))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)

    def run() -> None:
        model.train()
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    return run


if __name__ == "__main__":
    main(measure)
