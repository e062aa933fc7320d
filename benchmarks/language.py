"""How the language's front half grows with a spec: flat chains of 1,000 to 50,000 layers, and a fit of their times."""

from __future__ import annotations

import gc
import math
import time
from statistics import linear_regression

from paired import Result, main

from netspec.format import format_source
from netspec.language.expand import expand
from netspec.language.syntax import parse
from netspec.limits import DEFAULT
from netspec.source import Source

SIZES = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000)


def chain(layers: int) -> Source:
    """A flat chain: a layer with two arguments and a keyword on each line."""
    return Source("chain.net", "input 8 8 8\n" + "conv 8 3 padding=1\n" * (layers - 1))


def front_half(layers: int) -> float:
    """Seconds of processor time to parse, expand, shape-check and format a chain."""
    source = chain(layers)
    gc.collect()
    begin = time.process_time()
    expand(parse(source, DEFAULT))
    format_source(source, DEFAULT)
    return time.process_time() - begin


def measure(quick: bool) -> list[Result]:
    gc.set_threshold(100_000)  # as the command line does
    sizes = SIZES[:3] if quick else SIZES
    front_half(100)
    seconds = {
        size: min(front_half(size) for _ in range(1 if quick or size > 10_000 else 3))
        for size in sizes
    }
    points = [(math.log(size), math.log(spent)) for size, spent in seconds.items()]
    slope = linear_regression(*zip(*points, strict=True)).slope
    first, last = sizes[0], sizes[-1]
    each = {size: 1e6 * spent / size for size, spent in seconds.items()}
    results = [
        Result("a chain's time grows with its length to the power of", slope, "", 0.8, 1.15),
        Result(
            f"time for each of {last:,} layers / for each of {first:,}",
            *(each[last] / each[first], "x"),
            highest=1.6,
        ),
    ]
    size = last if quick else 10_000
    what = f"parse, expand, check and format a chain of {size:,} layers"
    return [Result(what, seconds[size], "s", highest=3), *results]


if __name__ == "__main__":
    main(measure)
