"""How long every net of the zoo takes to become source as a whole process, and an ONNX model in one that runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from statistics import median

import numpy as np
from networks import EXAMPLES
from paired import Result, main, processor

import netspec
from netspec.bench.pairing import timed
from netspec.language.syntax import parse
from netspec.language.tree import Block, Variant
from netspec.source import Source

COMMAND = str(Path(sys.executable).with_name("netspec"))
LARGEST = 60_000_000
"""Parameters of a net that is still written as ONNX: above it the time is that of copying its weights."""


def measure(quick: bool) -> list[Result]:
    found = list(nets())
    if quick:
        found = [pair for pair in found if pair[1] in ("mobilenet_025", "squeezenet1_1")]
    results = []
    for target in ("torch", "keras"):
        seconds = {
            net: processor([COMMAND, "compile", str(path), "--net", net, "--target", target])()
            for path, net in found
        }
        results += summed(f"`netspec compile --target {target}`, processor time", seconds, 1)
    small = [(path, net) for path, net in found if parameters(path, net) <= LARGEST]
    seconds = {net: timed(to_onnx(path, net))() for path, net in small}
    return [*results, *summed("from text to ONNX, weights given", seconds, 3)]


def nets() -> Iterator[tuple[Path, str]]:
    """Every net of the zoo, with its file."""
    for path in sorted(EXAMPLES.glob("zoo/*.net")):
        for item in parse(Source(path.name, path.read_text())).items:
            if isinstance(item, Variant) or (isinstance(item, Block) and item.keyword == "net"):
                yield path, item.name.name


def parameters(path: Path, net: str) -> int:
    return sum(prod(weight.shape) for _, weight in netspec.load(path, net=net).weights())


def to_onnx(path: Path, net: str) -> Callable[[], object]:
    weights = {
        name: np.zeros(weight.shape, np.float32)
        for name, weight in netspec.load(path, net=net).weights()
    }
    return lambda: netspec.compile(netspec.load(path, net=net), target="onnx", weights=weights)


def summed(what: str, seconds: dict[str, float], highest: float) -> list[Result]:
    """The slowest net and the median of all."""
    slowest = max(seconds, key=lambda net: seconds[net])
    about = f"{len(seconds)} nets of the zoo, {what}"
    return [
        Result(f"{about}: the slowest, {slowest}", seconds[slowest], "s", highest=highest),
        Result(f"{about}: the median", median(seconds.values()), "s"),
    ]


if __name__ == "__main__":
    main(measure)
