"""Engines for the tests of races: one that is right, and ones that are wrong each in a way of its own."""

from __future__ import annotations

import os
import sys

from netspec.bench.engine import Engine
from netspec.diagnostics import Diagnostic, SpecError


def _doubling(path, threads):
    print(f"I talk while I load {path} for {threads} threads")
    return Engine(lambda inputs: lambda: 2 * inputs["x"], lambda result: {"y": result})


def _tripling(path, threads):  # noqa: ARG001
    return Engine(lambda inputs: lambda: 3 * inputs["x"], lambda result: {"y": result})


def _crashing(path, threads):  # noqa: ARG001
    def run():
        print("these are my last words", file=sys.stderr, flush=True)
        os.abort()

    return Engine(lambda inputs: run, lambda result: {"y": result})  # noqa: ARG005


def _refusing(path, threads):  # noqa: ARG001
    raise SpecError(Diagnostic("unsupported", "not today"))


ENGINES = {"right": _doubling, "wrong": _tripling, "crash": _crashing, "refusal": _refusing}
