"""What maps pass and which layers take them: every rule against the reference, on every example of its op."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import OPS_BY_EXAMPLE, example_graph, example_id

from netspec.backend import load_backend
from netspec.backends.reference.rows import Applied
from netspec.passes.affine import absorb, through
from netspec.passes.affine.absorb import Layer
from netspec.passes.affine.maps import Blocked, Map
from netspec.weights import random_weights

reference = load_backend("reference")

KINDS = ("any", "increasing", "scale", "plain scale", "scalar", "factor")
"""Maps to try: of each channel, of positive scales, without a shift, both, and one for all elements, or its scale."""


def draw_map(shape, kind, draws):
    sizes = [1] * len(shape.sizes)
    if kind not in ("scalar", "factor") and "c" in shape.axes:
        sizes[shape.axes.index("c")] = shape.axis("c")
    scale, shift = draws.uniform(0.5, 2, sizes), draws.normal(size=sizes)
    if kind in ("any", "scale"):
        scale *= draws.choice([-1, 1], sizes)
    return Map(scale, shift * (kind in ("any", "increasing", "scalar")))


def applied(change, x):
    return change.scale * x + change.shift


def example_layer(op, example):
    """The node of the example that is the op, and the shapes around it."""
    graph = example_graph(op, example)
    node = next(node for node in graph.nodes if node.op.kind == op.kind)
    return graph, node, graph.input_shapes(node)


def compute(op, inputs, shapes, weights):
    return reference.ROWS[op](op, Applied(tuple(inputs), shapes, weights, False)).output


def assert_close(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


def examples(kinds):
    return pytest.mark.parametrize(
        ("op", "example"), [e for e in OPS_BY_EXAMPLE if kinds(e[0])], ids=example_id
    )


@examples(lambda op: op.kind in through.ROWS)
def test_a_map_passes_as_its_row_says(op, example):
    _, node, shapes = example_layer(op, example)
    draws = np.random.default_rng(0)
    passed = set()
    for kind in KINDS:
        inputs = [draws.normal(size=(2, *shape.sizes)) for shape in shapes]
        plain = compute(node.op, inputs, shapes, {})
        tried = [[draw_map(shape, kind, draws) for shape in shapes]]
        if len(set(shapes)) == 1:
            tried.append([draw_map(shapes[0], kind, draws)] * len(shapes))
        for changes in tried:
            try:
                behind = through.forward(node.op, shapes, node.shape, changes)
            except Blocked:
                continue
            fed = [applied(change, x) for change, x in zip(changes, inputs, strict=True)]
            assert_close(applied(behind, plain), compute(node.op, fed, shapes, {}))
            passed.add("forward")
        change = draw_map(node.shape, kind, draws)
        try:
            before = through.backward(node.op, shapes, node.shape, change)
        except Blocked:
            continue
        fed = [applied(each, x) for each, x in zip(before, inputs, strict=True)]
        assert_close(applied(change, plain), compute(node.op, fed, shapes, {}))
        passed.add("backward")
    blocked = getattr(node.op, "always", False) and op.kind == "alpha_dropout"
    blocked |= op.kind == "pad" and node.op.value != 0
    blocked |= op.kind in ("add", "sub") and len(set(shapes)) > 1
    assert passed == (set() if blocked else {"forward", "backward"})


def absorbed_weights(layer, found):
    """Local names and arrays of what the layer has become."""
    needed = found.op.weights(*layer.inputs)
    paths = {w.name: f"{layer.stem}.{w.name}" if w.name else layer.stem for w in needed}
    assert found.weights.keys() == set(paths.values())
    for each in needed:
        assert found.weights[paths[each.name]].shape == each.shape
    return {name: found.weights[path] for name, path in paths.items()}


def layer_of(op, example):
    graph, node, shapes = example_layer(op, example)
    drawn = random_weights(graph)
    weights = {name: array.astype(np.float64) for name, array in drawn.items()}
    names = {w.name: path for path, w in graph.weights_of(node)}
    own = {name: weights[path] for name, path in names.items()}
    return Layer(node.op, shapes, node.shape, graph.owner(node).name), weights, own


def fed(layer, draws):
    if layer.inputs[0].dtype == "int":
        return [draws.integers(0, layer.op.tokens, (2, *layer.inputs[0].sizes))]
    return [draws.normal(size=(2, *shape.sizes)) for shape in layer.inputs]


@examples(lambda op: absorb.takes_from_behind(op.model_construct()))
def test_a_layer_takes_a_map_from_behind(op, example):
    layer, weights, own = layer_of(op, example)
    draws = np.random.default_rng(0)
    taken = 0
    for kind in KINDS:
        change = draw_map(layer.output, kind, draws)
        try:
            found = absorb.behind(layer, change, weights)
        except Blocked:
            continue
        inputs = fed(layer, draws)
        wanted = applied(change, compute(layer.op, inputs, layer.inputs, own))
        given = absorbed_weights(layer, found)
        assert_close(compute(found.op, inputs, layer.inputs, given), wanted)
        structure = absorb.behind(layer, change._replace(known=False), None)
        assert (structure.op, structure.weights) == (found.op, {})
        taken += 1
    assert taken


@examples(lambda op: absorb.takes_in_front(op.model_construct()))
def test_a_layer_takes_a_map_in_front(op, example):
    layer, weights, own = layer_of(op, example)
    draws = np.random.default_rng(0)
    taken = 0
    for kind in KINDS:
        changes = [draw_map(shape, kind, draws) for shape in layer.inputs]
        try:
            found = absorb.in_front(layer, changes, weights)
        except Blocked:
            continue
        inputs = fed(layer, draws)
        changed = [applied(change, x) for change, x in zip(changes, inputs, strict=True)]
        wanted = compute(layer.op, changed, layer.inputs, own)
        given = absorbed_weights(layer, found)
        assert_close(compute(found.op, inputs, layer.inputs, given), wanted)
        structure = absorb.in_front(layer, [c._replace(known=False) for c in changes], None)
        assert (structure.op, structure.weights) == (found.op, {})
        taken += 1
    assert taken
