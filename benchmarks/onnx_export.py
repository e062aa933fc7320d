"""How long a spec takes to become an ONNX file, against `torch.onnx.export` of the same network."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from networks import EXAMPLES
from paired import Result, main, paired

import netspec
from netspec.backends.torch.engines import export
from netspec.bench.pairing import timed


def measure(quick: bool) -> list[Result]:
    torch.set_num_threads(1)
    resnet = (EXAMPLES / ("n2.net" if quick else "resnet18.net")).read_text()
    layers = 20 if quick else 1000
    chain = f"input 8 8 8\nrepeat {layers // 2} {{ conv 8 1 -> relu }}"
    pairs = 1 if quick else 5
    with TemporaryDirectory() as name:
        folder = Path(name)
        return [
            compare("ResNet-18", resnet, folder, pairs=pairs, lowest=10),
            compare("ResNet-18, drawing its weights,", resnet, folder, pairs=pairs, draw=True),
            compare(f"a chain of {layers:,} layers", chain, folder, pairs=1, lowest=100),
        ]


def compare(
    what: str, text: str, folder: Path, *, pairs: int, lowest: float = 0, draw: bool = False
) -> Result:
    graph = netspec.parse(text)
    weights = netspec.init_weights(graph)
    module = netspec.build(graph, target="torch", weights=weights)
    images = torch.zeros(2, *graph.inputs[0].shape.sizes)

    def ours() -> None:
        given = None if draw else weights
        artifact = netspec.compile(netspec.parse(text), target="onnx", weights=given)
        (folder / "ours.onnx").write_bytes(artifact.content)

    ours()  # what is loaded at the first call is no part of it
    export(torch.nn.Linear(1, 1), [torch.zeros(2, 1)], folder / "theirs.onnx")
    theirs = timed(lambda: export(module, [images], folder / "theirs.onnx"))
    title = f"{what} to ONNX: torch.onnx.export / netspec"
    return paired(title, theirs, timed(ours), pairs=pairs, lowest=lowest)


if __name__ == "__main__":
    main(measure)
