"""Emitted source as a live module, and a session around it."""

from __future__ import annotations

import linecache
from collections.abc import Mapping
from hashlib import sha256
from types import ModuleType
from typing import TYPE_CHECKING

from netspec.backend import Step, check_trains, need
from netspec.backends.torch.module import emit_module
from netspec.backends.torch.weights import load_into, read_from
from netspec.ir import Graph
from netspec.passes import Model
from netspec.passes.deterministic import deterministic
from netspec.weights import Array, Weights, check_weights

if TYPE_CHECKING:
    from torch import Tensor, nn

torch = need("torch", "torch")


def build_module(graph: Graph, weights: Weights) -> nn.Module:
    """Run the emitted source and load the weights. Raises `SpecError` where they do not fit."""
    check_weights(graph, weights)
    module = run_source(*emit_module(graph))
    load_into(module, graph, weights)
    return module.eval()


def run_source(source: str, name: str) -> nn.Module:
    """An instance of that class. Tracebacks, `inspect` and `torch.jit.script` find its source."""
    file = f"<netspec {name} {sha256(source.encode()).hexdigest()[:12]}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    namespace = ModuleType(f"netspec_{name.lower()}")
    exec(compile(source, file, "exec"), namespace.__dict__)
    module: nn.Module = getattr(namespace, name)()
    return module


class TorchSession:
    """The emitted module as `netspec.backend.Session`."""

    def __init__(self, graph: Graph, weights: Weights, precision: str) -> None:
        graph = deterministic(Model(graph)).graph
        self._graph = graph
        self._dtype = getattr(torch, precision)
        self._module = build_module(graph, weights).to(self._dtype)
        load_into(self._module, graph, weights)

    def predict(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name, in `eval` mode."""
        self._module.eval()
        with torch.no_grad():
            return {name: value.numpy() for name, value in self._run(self._feed(inputs)).items()}

    def train_step(self, inputs: Mapping[str, Array], cotangents: Mapping[str, Array]) -> Step:
        """A forward and a backward pass in `train` mode with dropout at rate 0."""
        check_trains(self._graph)
        self._module.train()
        feeds = self._feed(inputs)
        learned = {n: p for n, p in self._module.named_parameters() if p.requires_grad}
        sources = {**learned, **{n: t for n, t in feeds.items() if t.is_floating_point()}}
        for tensor in sources.values():
            tensor.requires_grad_()
        outputs = self._run(feeds)
        loss = sum((outputs[name] * self._tensor(cotangents[name])).sum() for name in outputs)
        tensors = list(sources.values())
        if loss.requires_grad:
            found = torch.autograd.grad(loss, tensors, materialize_grads=True)
        else:  # of constants alone
            found = [torch.zeros_like(tensor) for tensor in tensors]
        after = read_from(self._module, self._graph)
        statistics = {
            name: after[name] for name, weight in self._graph.weights() if not weight.trainable
        }
        return Step(
            {name: value.detach().numpy() for name, value in outputs.items()},
            {name: gradient.numpy() for name, gradient in zip(sources, found, strict=True)},
            statistics,
        )

    def _tensor(self, array: Array) -> Tensor:
        return torch.from_numpy(array).to(self._dtype)

    def _feed(self, inputs: Mapping[str, Array]) -> dict[str, Tensor]:
        return {
            node.name: self._tensor(inputs[node.name])
            if node.shape.dtype == "float"
            else torch.from_numpy(inputs[node.name]).long()
            for node in self._graph.inputs
        }

    def _run(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        results = self._module(*feeds.values())
        results = results if isinstance(results, tuple) else (results,)
        return {
            output.name: value for output, value in zip(self._graph.outputs, results, strict=True)
        }
