"""How fast emitted PyTorch infers and trains, and how long it is, against networks written by hand."""

from __future__ import annotations

from collections.abc import Callable

import networks
import torch
from paired import Result, main, paired
from torch import nn

import netspec
from netspec.bench.pairing import timed

NETWORKS = (("ResNet-18", "resnet18", 1), ("ResNet-50", "resnet50", 2.2))
"""Title, spec, and about how much slower than the first."""


def measure(quick: bool) -> list[Result]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    size = 32 if quick else 224
    results = []
    for title, spec, slower in NETWORKS:
        graph = netspec.load(networks.EXAMPLES / f"{spec}.net", input_shape=(3, size, size))
        emitted = netspec.build(graph, target="torch", seed=0)
        by_hand = networks.by_hand()[spec][-1]()
        by_hand.load_state_dict(emitted.state_dict())

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
                torch.testing.assert_close(emitted.eval()(images), by_hand.eval()(images))
            runs = [inference(model, images) for model in (emitted, by_hand)]
            results.append(compare(f"inference, batch {batch}", runs, pairs / slower))
        images = torch.randn(8, 3, size, size)
        runs = [training(model, images) for model in (emitted, by_hand)]
        results.append(compare("a training step, batch 8", runs, 15 / slower))
    for spec in networks.by_hand():
        source = netspec.compile(
            netspec.load(networks.EXAMPLES / f"{spec}.net"), target="torch"
        ).text
        lines = [networks.code_lines(text) for text in (source, networks.handwritten(spec))]
        what = f"{spec} in PyTorch, lines of code: emitted / handwritten"
        results.append(Result(what, lines[0] / lines[1], "x", highest=1.3))
    return results


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
