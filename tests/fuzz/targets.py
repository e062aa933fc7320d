"""One program on one target against the float64 reference. Run as a script, it serves one over pipes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from fuzz.networks import graph_of
from netspec.backend import load_backend
from netspec.diagnostics import SpecError
from netspec.feeds import vocabulary
from netspec.ir import Graph
from netspec.weights import Weights, init_weights

TOLERANCE = {"torch": 1e-9, "keras": 2e-3, "onnx": 2e-3}
"""Of the largest value of an output: torch computes in float64, the others in float32."""
STEP_TOLERANCE = 1e-6
"""Of the largest number of a gradient in float64; Keras holds some constants in float32."""


def disagreement(target: str, text: str, seed: int, gradients: bool = False) -> str | None:
    """How a target's outputs differ from the reference's, `unsupported`, or None where they agree.

    With `gradients` a training step in float64 is compared, too, where the target trains.
    """
    graph = graph_of(text)
    draws = np.random.default_rng(seed)
    weights = init_weights(graph, seed)
    feeds: dict[str, Any] = {}
    for node in graph.inputs:
        size = (2, *node.shape.sizes)
        if node.shape.dtype == "int":
            feeds[node.name] = draws.integers(0, vocabulary(graph, node), size)
        else:
            feeds[node.name] = draws.normal(size=size)
    precision = "float64" if target == "torch" else "float32"
    reference = load_backend("reference").open_session
    wanted = reference(graph, weights, "float64").predict(feeds)
    given = {
        name: value if value.dtype.kind == "i" else value.astype(precision)
        for name, value in feeds.items()
    }
    try:
        load_backend(target).ROWS.check(graph)
        found = load_backend(target).open_session(graph, weights, precision).predict(given)
    except SpecError as error:
        known = {"unsupported", "name-clash", "reserved-name", "too-deep"}
        return "unsupported" if {d.id for d in error.diagnostics} <= known else f"says {error}"
    rounding: dict[str, float] = {}
    if precision == "float32":  # what it may cost: a division by nearly nothing leaves few digits
        rounded = reference(graph, weights, "float32").predict(given)
        rounding = {
            name: float(np.abs(rounded[name] - wanted[name]).max(initial=0)) for name in wanted
        }
    for name, value in wanted.items():
        if found[name].shape != value.shape:
            return f"{name} has the shape {found[name].shape}, not {value.shape}"
        finite = np.isfinite(value)
        if not finite.all() or np.abs(value).max(initial=0) > 1e30:
            continue  # beyond float32, or a division by zero: there is nothing to compare
        largest = max(1.0, float(np.abs(value).max(initial=0)))
        error = float(np.abs(found[name] - value).max(initial=0))
        if not error <= TOLERANCE[target] * largest + 10 * rounding.get(name, 0.0):
            return f"{name} differs by {error:.3g} of {largest:.3g}"
    return _step_disagreement(target, graph, weights, feeds, seed) if gradients else None


def _step_disagreement(
    target: str, graph: Graph, weights: Weights, feeds: dict[str, Any], seed: int
) -> str | None:
    """How the gradients and statistics of a training step differ from the reference's."""
    draws = np.random.default_rng(seed + 1)
    cotangents = {
        output.name: draws.normal(size=(2, *graph.by_name[output.node].shape.sizes))
        for output in graph.outputs
    }
    try:
        session = load_backend(target).open_session(graph, weights, "float64")
        found = session.train_step(feeds, cotangents)
    except (NotImplementedError, SpecError):  # it does not train, or not in float64
        return None
    oracle = load_backend("reference").open_session(graph, weights, "float64")
    wanted = oracle.train_step(feeds, cotangents)
    for kind in ("gradients", "statistics"):
        for name, value in getattr(wanted, kind).items():
            if not np.isfinite(value).all() or np.abs(value).max(initial=0) > 1e30:
                continue  # where a function has no slope there is nothing to compare
            largest = max(1.0, float(np.abs(value).max(initial=0)))
            error = float(np.abs(getattr(found, kind)[name] - value).max(initial=0))
            if not error <= STEP_TOLERANCE * largest:
                return f"{kind} of {name} differ by {error:.3g} of {largest:.3g}"
    return None


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
