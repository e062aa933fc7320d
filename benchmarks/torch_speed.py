"""How fast emitted PyTorch infers and trains, against ResNet-18 written by hand with the same weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
from networks import EXAMPLES, ResNet18
from paired import Result, main, paired, timed
from torch import nn

import netspec


def measure(quick: bool) -> list[Result]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    size = 32 if quick else 224
    graph = netspec.load(EXAMPLES / "resnet18.net", input_shape=(3, size, size))
    emitted = netspec.build(graph, target="torch", seed=0)
    handwritten = ResNet18()
    handwritten.load_state_dict(emitted.state_dict())

    results = []
    for batch, pairs in ((1, 75), (8, 25)):
        images = torch.randn(batch, 3, size, size)
        with torch.inference_mode():
            torch.testing.assert_close(emitted.eval()(images), handwritten.eval()(images))
        runs = [inference(model, images) for model in (emitted, handwritten)]
        results.append(compare(f"inference, batch {batch}", runs, pairs=3 if quick else pairs))
    images = torch.randn(8, 3, size, size)
    runs = [training(model, images) for model in (emitted, handwritten)]
    results.append(compare("a training step, batch 8", runs, pairs=3 if quick else 15))
    return results


def compare(what: str, runs: list[Callable[[], object]], pairs: int) -> Result:
    first, second = map(timed, runs)
    title = f"ResNet-18 in PyTorch, {what}: emitted / handwritten"
    return paired(title, first, second, pairs=pairs, lowest=0.97, highest=1.03)


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
