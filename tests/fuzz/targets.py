"""One program on one target against the float64 reference. Run as a script, it serves one over pipes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fuzz.networks import graph_of
from netspec.backend import Step, load_backend
from netspec.diagnostics import SpecError
from netspec.feeds import vocabulary
from netspec.ir import Graph
from netspec.parity.diverge import expose
from netspec.weights import Weights, random_weights

Feeds = Mapping[str, Any]

TOLERANCE = {"torch": 1e-9, "keras": 2e-3, "onnx": 2e-3}
"""Of the largest value of an output: torch computes in float64, the others in float32."""
STEP_TOLERANCE = 1e-6
"""Of the largest number of a gradient in float64; Keras holds some constants in float32."""


def disagreement(target: str, text: str, seed: int, gradients: bool = False) -> str | None:
    """How a target's outputs differ from the reference's, `unsupported`, or None where they agree.

    With `gradients` a training step in float64 is compared, too, where the target trains.
    """
    graph = graph_of(text)
    weights, feeds = random_weights(graph, seed), _feeds(graph, seed)
    try:
        load_backend(target).ROWS.check(graph)
        precision = "float64" if target == "torch" else "float32"
        fault = _prediction_fault(target, precision, graph, weights, feeds)
    except SpecError as error:
        known = {"unsupported", "name-clash", "reserved-name", "too-deep"}
        return "unsupported" if {d.id for d in error.diagnostics} <= known else f"says {error}"
    return fault or (_step_fault(target, graph, weights, feeds) if gradients else None)


def _feeds(graph: Graph, seed: int) -> dict[str, Any]:
    draws = np.random.default_rng(seed)
    feeds: dict[str, Any] = {}
    for node in graph.inputs:
        size = (2, *node.shape.sizes)
        if node.shape.dtype == "int":
            feeds[node.name] = draws.integers(0, vocabulary(graph, node), size)
        else:
            feeds[node.name] = draws.normal(size=size)
    return feeds


def _prediction_fault(
    target: str, precision: str, graph: Graph, weights: Weights, feeds: Feeds
) -> str | None:
    session = load_backend(target).open_session(graph, weights, precision)
    found = session.predict(_as(precision, feeds))

    def oracle(precision: str, weights: Weights, feeds: Feeds) -> dict[str, Any]:
        return _reference(graph, weights, precision).predict(_as(precision, feeds))

    wanted = oracle("float64", weights, feeds)
    for name, value in wanted.items():
        if found[name].shape != value.shape:
            return f"{name} has the shape {found[name].shape}, not {value.shape}"
    faults = _faults(found, wanted, TOLERANCE[target])
    if faults and _is_finite(graph, weights, feeds, precision):
        allowed = _swing(wanted, partial(oracle, precision), weights, feeds, precision)
        faults = [(name, error) for name, error in faults if not error <= 10 * allowed[name]]
        return "".join(f"{name} differs by {error:.3g}" for name, error in faults[:1]) or None
    return None


def _step_fault(target: str, graph: Graph, weights: Weights, feeds: Feeds) -> str | None:
    """How the gradients and statistics of a training step differ from the reference's."""
    draws = np.random.default_rng(1)
    cotangents = {
        output.name: draws.normal(size=(2, *graph.by_name[output.node].shape.sizes))
        for output in graph.outputs
    }
    try:
        session = load_backend(target).open_session(graph, weights, "float64")
        step = session.train_step(feeds, cotangents)
    except (NotImplementedError, SpecError):  # it does not train, or not in float64
        return None

    def oracle(weights: Weights, feeds: Feeds) -> dict[str, Any]:
        return _flat(_reference(graph, weights, "float64").train_step(feeds, cotangents))

    wanted = oracle(weights, feeds)
    faults = _faults(_flat(step), wanted, STEP_TOLERANCE)
    if faults and _is_finite(graph, weights, feeds, "float64"):
        allowed = _swing(wanted, oracle, weights, feeds, "float64")
        faults = [(name, error) for name, error in faults if not error <= 10 * allowed[name]]
        return "".join(f"{name} differ by {error:.3g}" for name, error in faults[:1]) or None
    return None


def _flat(step: Step) -> dict[str, Any]:
    return {
        f"{kind} of {name}": value
        for kind in ("gradients", "statistics")
        for name, value in getattr(step, kind).items()
    }


def _reference(graph: Graph, weights: Weights, precision: str) -> Any:
    return load_backend("reference").open_session(graph, weights, precision)


def _as(precision: str, feeds: Feeds) -> Feeds:
    return {
        name: value if value.dtype.kind == "i" else value.astype(precision)
        for name, value in feeds.items()
    }


def _faults(found: Feeds, wanted: Feeds, tolerance: float) -> list[tuple[str, float]]:
    """What is further from what is wanted than a share of its largest number, and how far."""
    errors = {name: _distance(found[name], value) for name, value in wanted.items()}
    return [
        (name, error)
        for name, error in errors.items()
        if not error <= tolerance * max(1.0, float(np.abs(wanted[name]).max(initial=0)))
    ]


def _distance(one: Any, other: Any) -> float:
    distance = float(np.abs(one - other).max(initial=0))
    return distance if np.isfinite(distance) else np.inf


def _is_finite(graph: Graph, weights: Weights, feeds: Feeds, precision: str) -> bool:
    """Whether no layer divides by zero or leaves float32's range: else there is nothing to compare."""
    layers = _reference(expose(graph), weights, precision).predict(_as(precision, feeds))
    return all(bool((np.abs(value) < 1e30).all()) for value in layers.values())


def _swing(
    wanted: Feeds,
    oracle: Callable[[Weights, Feeds], dict[str, Any]],
    weights: Weights,
    feeds: Feeds,
    precision: str,
) -> dict[str, float]:
    """How far the reference's own numbers move with the last digits of what it is given.

    They move much where a network divides by nearly nothing, or stands where a function has a kink.
    """
    moved = dict.fromkeys(wanted, 0.0)
    for seed in range(3):
        draws = np.random.default_rng(seed)

        def stirred(arrays: Feeds, draws: np.random.Generator = draws) -> Feeds:
            step = 4 * np.finfo(precision).eps
            return {
                name: value
                if value.dtype.kind == "i"
                else value * (1 + step * draws.uniform(-1, 1, value.shape))
                for name, value in arrays.items()
            }

        for name, value in oracle(stirred(weights), stirred(feeds)).items():
            moved[name] = max(moved[name], _distance(value, wanted[name]))
    return moved


class Worker:
    """A target in a process of its own: torch and TensorFlow do not share one."""

    def __init__(self, target: str) -> None:
        command = [sys.executable, "-m", "fuzz.targets", target]
        self._process = subprocess.Popen(
            *(command,),
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, text: str, seed: int, gradients: bool = False) -> str | None:
        """As `disagreement` answers; a process that has died disagrees."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([text, seed, gradients]), file=self._process.stdin, flush=True)
        for line in self._process.stdout:
            if line.startswith("answer "):
                answer: str | None = json.loads(line.removeprefix("answer "))
                return answer
        return "the process has died"

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def _answer(target: str, text: str, seed: int, gradients: bool) -> str | None:
    try:
        return disagreement(target, text, seed, gradients)
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"


def _serve(target: str) -> None:
    for line in sys.stdin:
        print("answer", json.dumps(_answer(target, *json.loads(line))), flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1])
