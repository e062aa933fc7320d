"""`bench`: one network on every runtime, judged by the reference before it is timed. Knows no framework."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import packages_distributions, version
from pathlib import Path
from tempfile import TemporaryDirectory

from netspec.backend import load_backend
from netspec.bench.engine import Arrays, write_network
from netspec.bench.race import Progress, race
from netspec.bench.report import Report, Skipped
from netspec.bench.runtimes import RUNTIMES, Runtime, check, find
from netspec.bench.workers import Entrant
from netspec.compiler import compile as compile_graph
from netspec.diagnostics import Diagnostic, SpecError
from netspec.feeds import draw
from netspec.ir import Graph
from netspec.parity.compare import check_predictions
from netspec.passes import OPTIMIZE
from netspec.sizes import bind, unknowns
from netspec.weights import Array, Weights, check_weights, np, random_weights

TOLERANCE = 1e-3
"""How far a runtime may be from the float64 reference, in units of an output's largest value: it sums in
another order, and in float32. What is wrong is wrong by far more."""

EXAMPLES = 2
"""Different examples in a batch, the rest repeats them: the float64 reference is slow, and judges each."""


def bench(
    graph: Graph,
    *,
    weights: Weights | None = None,
    runtimes: Sequence[str] | None = None,
    batches: Sequence[int] = (1,),
    sizes: Mapping[str, int] | None = None,
    threads: int = 1,
    rounds: int = 20,
    clock: str = "wall",
    seed: int = 0,
    progress: Progress = lambda _: None,
) -> Report:
    """Time a network on every runtime that is installed, side by side, on the CPU.

    Each runtime is a process of its own. All get the same weights (drawn as a trained network has them where
    none are given) and inputs, and what is further from the float64 reference than `TOLERANCE` is not timed.
    They take turns for `rounds` rounds, so that what else the machine does hits all alike.
    `clock` is `wall` or, for a machine that is busy otherwise, `processor`: the seconds in which a runtime computes.
    `runtimes` are all of the usual ones that can run here; ratios are to the first. `sizes` are those that
    the spec leaves open.

    Raises `SpecError` for weights that do not fit, sizes that are left open, and a runtime that is named and is
    unknown, not installed or cannot run the graph.
    """
    if not batches or min(batches) < 1 or threads < 1 or rounds < 1:
        raise ValueError("bench needs batches, threads and rounds of 1 or more")
    graph = _sized(graph, sizes or {})
    weights = random_weights(graph, seed) if weights is None else weights
    check_weights(graph, weights)
    chosen, skipped = _choose(graph, runtimes)
    truth, feeds = _exercise(graph, weights, batches, seed)

    def judge(name: str, batch: int, answer: Arrays) -> str | None:
        del name
        wanted = {output: _repeated(array, batch) for output, array in truth.items()}
        wrong = [
            each
            for each in check_predictions([answer], [wanted], lambda _: TOLERANCE)
            if not each.passed
        ]
        if not wrong:
            return None
        fault = wrong[0].fault or f"off by {wrong[0].relative:.1e}, limit {TOLERANCE:.0e}"
        return f"output `{wrong[0].name}`: {fault}"

    with TemporaryDirectory(prefix="netspec-bench-") as name:
        models = _write(Path(name), graph, weights, {runtime.model for runtime in chosen})
        entrants = [Entrant(r.name, r.room, r.engine, models[r.model]) for r in chosen]
        done = race(
            entrants,
            feeds,
            judge=judge,
            threads=threads,
            rounds=rounds,
            clock=clock,
            progress=progress,
        )
    return Report(
        network=graph.name,
        fingerprint=graph.fingerprint,
        threads=threads,
        rounds=rounds,
        clock=clock,
        rows=done.rows,
        faults=done.faults,
        skipped=tuple(skipped),
        machine=f"{platform.machine()}, {os.cpu_count()} processors",
        versions=_versions(chosen),
    )


def _sized(graph: Graph, sizes: Mapping[str, int]) -> Graph:
    """The graph with all sizes known."""
    open_ = unknowns(graph)
    for name in sizes:
        if name not in open_:
            message = f"`{graph.name}` leaves no size `{name}` open"
            raise SpecError(Diagnostic("unknown-open-size", message))
    if left := [name for name in open_ if name not in sizes]:
        message = f"the spec leaves {', '.join(f'`{name}`' for name in left)} open"
        help_ = f"say what to time it with: --size {left[0]}=128"
        raise SpecError(Diagnostic("open-size", message, help=help_))
    return bind(graph, sizes)


def _choose(graph: Graph, names: Sequence[str] | None) -> tuple[list[Runtime], list[Skipped]]:
    """The runtimes to time. What cannot run is an error where it was named, else left out."""
    wanted = [each for each in RUNTIMES if each.usual] if names is None else map(find, names)
    chosen: list[Runtime] = []
    skipped: list[Skipped] = []
    for runtime in dict.fromkeys(wanted):
        try:
            check(runtime, graph)
        except SpecError as error:
            if names is not None:
                raise
            skipped += [Skipped(runtime.name, d.message, d.help) for d in error.diagnostics]
        else:
            chosen.append(runtime)
    if not chosen:
        help_ = "pip install 'netspec-compiler[all]'"
        raise SpecError(Diagnostic("no-target", "there is no runtime to time", help=help_))
    return chosen, skipped


def _exercise(
    graph: Graph, weights: Weights, batches: Sequence[int], seed: int
) -> tuple[Arrays, Mapping[int, Arrays]]:
    """What the reference makes of a few examples, and for each batch size inputs that repeat them."""
    generator = np.random.default_rng(seed)
    count = min(EXAMPLES, max(batches))
    few = {node.name: draw(graph, node, count, generator) for node in graph.inputs}
    truth = load_backend("reference").open_session(graph, weights, "float64").predict(few)
    feeds = {
        batch: {name: _repeated(array, batch) for name, array in few.items()} for batch in batches
    }
    return truth, feeds


def _repeated(array: Array, batch: int) -> Array:
    """So many examples, from the first on and then again."""
    return np.take(array, range(batch), axis=0, mode="wrap")


def _write(folder: Path, graph: Graph, weights: Weights, models: set[str]) -> dict[str, Path]:
    """The forms of the network that runtimes ask for."""
    paths: dict[str, Path] = {}
    if "network" in models:
        paths["network"] = folder / "network"
        write_network(paths["network"], graph, weights)
    for model in sorted(models - {"network"}):
        paths[model] = folder / f"{model}.onnx"
        passes = OPTIMIZE if model == "optimized" else ()
        artifact = compile_graph(graph, target="onnx", weights=weights, passes=passes)
        paths[model].write_bytes(artifact.content)
    return paths


def _versions(runtimes: Sequence[Runtime]) -> dict[str, str]:
    """Of all that the runtimes need, by module."""
    owners = packages_distributions()
    modules = dict.fromkeys(module for runtime in runtimes for module in runtime.modules)
    return {module: version(owners[module][0]) for module in modules if module in owners}
