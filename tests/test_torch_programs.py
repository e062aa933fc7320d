"""Emitted modules as programs: `torch.jit.script`, `torch.export` and `torch.compile` take all of them."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from graphs import (
    HOSTILE,
    HYPHENATED,
    NUMBERED,
    RECURSIVE,
    draw_inputs,
    example_graph,
    graph_of,
    joined,
    realised_by,
)
from small import zoo_member
from torch_networks import OPTIONS, OWN, PARTS, SIZES, TANGLE

import netspec
from netspec.backend import load_backend
from netspec.backends.torch.live import run_source
from netspec.backends.torch.module import emit_module
from netspec.ir import Graph
from netspec.language.syntax import parse
from netspec.language.tree import Block
from netspec.passes import Model
from netspec.passes.deterministic import deterministic
from netspec.sizes import unknowns
from netspec.source import Source

TOGETHER = 50
"""Examples of ops in one module: it is the number of modules that takes time."""
EXAMPLES = [
    deterministic(Model(example_graph(*case))).graph for case in realised_by(load_backend("torch"))
]
MODULES = [joined(EXAMPLES[i : i + TOGETHER]) for i in range(0, len(EXAMPLES), TOGETHER)]

OTHERS = ("bert", "gpt2", "inception_v3", "tcn", "two_tower", "unet", "wavenet")
LIKE_OTHERS = {"ddpm", "retinanet", "yolov8"}
"""Families that are made of what others are made of, too."""
SPECS = [
    *(p for p in sorted(Path("examples/zoo").glob("*.net")) if p.stem not in LIKE_OTHERS),
    *(Path(f"examples/{name}.net") for name in OTHERS),
]
VARIANTS = {"mobilenet": "mobilenet_v3_small", "regnet": "regnet_y_400mf"}
"""Nets to take from files that hold several; elsewhere the first."""
SMALL = {"llama", "t5"}
"""Families whose small member says as much, since their many layers are alike."""


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.*", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message=".*_flat_weights", category=UserWarning)
        yield


def feeds_of(graph: Graph) -> list[torch.Tensor]:
    sizes = dict.fromkeys(unknowns(graph), 3)
    return [torch.from_numpy(array) for array in draw_inputs(graph, sizes, batch=2).values()]


def check(found: object, wanted: object) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5, equal_nan=True)


def check_programs(module: torch.nn.Module, feeds: list[torch.Tensor]) -> None:
    with torch.no_grad():
        wanted = module(*feeds)
        check(torch.jit.script(module)(*feeds), wanted)
        check(torch.export.export(module, (*feeds,)).module()(*feeds), wanted)


@pytest.mark.parametrize("graph", MODULES, ids=lambda graph: graph.nodes[-1].op.kind)
def test_every_op_is_scripted_and_exported(graph: Graph) -> None:
    check_programs(netspec.build(graph, target="torch", seed=0), feeds_of(graph))


@pytest.mark.parametrize(
    "text", [HOSTILE, HYPHENATED, NUMBERED, OPTIONS, OWN, PARTS, RECURSIVE, SIZES, TANGLE]
)
def test_every_layout_is_a_program(text: str) -> None:
    graph = graph_of(text)
    module, feeds = netspec.build(graph, target="torch", seed=0), feeds_of(graph)
    check_programs(module, feeds)
    with torch.no_grad():
        compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
        check(compiled(*feeds), module(*feeds))


@pytest.mark.slow
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.stem)
def test_networks_are_scripted_and_exported(spec: Path) -> None:
    """Without memory: on a device that computes shapes alone."""
    with torch.device("meta"):
        graph = first_net(spec)
        module = run_source(*emit_module(graph)).eval()
        feeds = [feed.to("meta") for feed in feeds_of(graph)]
        shapes = [tuple(result.shape) for result in results(module(*feeds))]
        torch.jit.script(module)
        exported = torch.export.export(module, (*feeds,)).module()
        assert [tuple(result.shape) for result in results(exported(*feeds))] == shapes


def first_net(spec: Path) -> Graph:
    if spec.stem in SMALL:
        return zoo_member(spec.stem)
    items = parse(Source(spec.name, spec.read_text())).items
    nets = [item.name.name for item in items if isinstance(item, Block) and item.keyword == "net"]
    chosen = VARIANTS.get(spec.stem, nets[0] if nets else None)
    return netspec.load(spec, net=chosen)


def results(found: torch.Tensor | tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return found if isinstance(found, tuple) else (found,)


def test_a_network_compiles_with_its_training_step() -> None:
    graph = netspec.load("examples/resnet18.net", input_shape=(3, 32, 32))
    module = netspec.build(graph, target="torch", seed=0).train()
    (x,) = feeds_of(graph)
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    compiled(x).sum().backward()
    assert all(p.grad is not None for p in module.parameters())
