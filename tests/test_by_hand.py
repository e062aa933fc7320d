"""Emitted PyTorch beside networks that are written by hand: the same parameters, hardly more lines."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

import networks

import netspec
from netspec.backends.torch.live import run_source
from netspec.backends.torch.module import emit_module


@pytest.mark.parametrize("name", networks.by_hand())
def test_a_hand_writes_hardly_fewer_lines(name):
    source, title = emit_module(netspec.load(networks.EXAMPLES / f"{name}.net"))
    lines, fewest = (networks.code_lines(text) for text in (source, networks.handwritten(name)))
    assert lines <= 1.3 * fewest
    with torch.device("meta"):
        pair = [run_source(source, title), networks.by_hand()[name][-1]()]
    emitted, handwritten = (
        {path: tensor.shape for path, tensor in module.state_dict().items()} for module in pair
    )
    assert emitted == handwritten
