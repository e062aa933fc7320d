"""Canonical weights into a live module and out of it. Names and layouts are PyTorch's own, so nothing moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netspec.backend import need
from netspec.backends.torch.rows import ROWS
from netspec.ir import Graph

if TYPE_CHECKING:
    from torch import nn

    from netspec.weights import Array, Weights


def load_into(module: nn.Module, graph: Graph, weights: Weights) -> None:
    """Copy the graph's weights into the module, in its own precision; it must have no others."""
    torch = need("torch", "torch")
    state = {name: torch.from_numpy(weights[name].copy()) for name, _ in graph.weights()}
    own = module.state_dict()
    state |= {name: torch.zeros_like(own[name]) for name in fixed_names(graph)}
    fits = {name for name in own if not name.endswith("num_batches_tracked")} == state.keys()
    if not fits or any(own[name].shape != tensor.shape for name, tensor in state.items()):
        module.load_state_dict(state)  # says what is wrong, in quadratic time
    with torch.no_grad():
        for name, tensor in state.items():
            own[name].copy_(tensor)


def fixed_names(graph: Graph) -> list[str]:
    """The tensors of its module that are zero and not the graph's."""
    return [
        f"{node.name}.{name}"
        for node in graph.nodes
        if node.op.kind != "input" and node.shares is None
        for name in ROWS[node.op](node.op, *graph.input_shapes(node)).fixed
    ]


def read_from(module: nn.Module, graph: Graph) -> dict[str, Array]:
    """Copies of those of the graph's weights that the module has."""
    state = module.state_dict()
    return {
        name: state[name].numpy(force=True).copy() for name, _ in graph.weights() if name in state
    }
