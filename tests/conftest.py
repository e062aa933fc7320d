"""What all tests share: those marked `gpu` need a CUDA session, or say why there is none."""

from __future__ import annotations

import os
from functools import cache

import pytest


@cache
def _why_no_cuda() -> str | None:
    """The reason why ONNX Runtime cannot start CUDA here, or None where it can."""
    from netspec.backend import load_backend
    from netspec.builder import GraphBuilder
    from netspec.ops.activation.rectifiers import Relu
    from netspec.ops.input import Input
    from netspec.runtime import ProviderUnavailable, open_session

    builder = GraphBuilder("probe")
    graph = builder.finish([(None, builder.add(Relu(), [builder.add(Input(sizes=(1,)), [])]))])
    try:
        open_session(load_backend("onnx").emit(graph, {}), "cuda")
    except ProviderUnavailable as error:
        return str(error)
    return None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a `gpu` test where there is no CUDA, or fail it if NETSPEC_REQUIRE_GPU=1."""
    if item.get_closest_marker("gpu") and (reason := _why_no_cuda()):
        if os.environ.get("NETSPEC_REQUIRE_GPU") == "1":
            pytest.fail(f"NETSPEC_REQUIRE_GPU=1, but {reason}")
        pytest.skip(reason)
