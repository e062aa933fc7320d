"""Which activations may write over what they read, as `nn.ReLU(inplace=True)` does. Knows no op."""

from __future__ import annotations

import re
from collections.abc import Iterator

from netspec.backends.torch.nodes import layer_of
from netspec.emit.outline import Leaf, Part
from netspec.ir import Graph


def in_place(graph: Graph, root: Part) -> set[str]:
    """The names of the nodes that may write over their input.

    1. The layer that gives it gives it up (see `Layer`), and stands in the same module: what a module is given, its
       caller may read again.
    2. Nothing else reads it, and it is no output.
    3. The same holds for all uses of a shared layer, and for all activations that one unnamed module serves.
    """
    able: set[str] = set()
    together: list[dict[object, set[str]]] = [{}, {}]
    for part, leaf in _leaves(root):
        node = leaf.node
        if not layer_of(graph, leaf).in_place:
            continue
        if _is_free(graph, part, leaf):
            able.add(node.name)
        together[0].setdefault(graph.owner(node).name, set()).add(node.name)
        if is_unnamed(leaf):
            together[1].setdefault((part.path, node.op.kind), set()).add(node.name)
    for groups in together:
        for names in groups.values():
            if not names <= able:
                able -= names
    return able


def is_unnamed(leaf: Leaf) -> bool:
    """Whether a leaf has a name by its kind and place only."""
    return re.fullmatch(rf"{leaf.node.op.kind}[0-9]+", leaf.local) is not None


def _leaves(part: Part) -> Iterator[tuple[Part, Leaf]]:
    for item in part.items:
        if isinstance(item, Part):
            yield from _leaves(item)
        else:
            yield part, item


def _is_free(graph: Graph, part: Part, leaf: Leaf) -> bool:
    (source,) = leaf.inputs
    outputs = {output.node for output in graph.outputs}
    if source in part.inputs or source in outputs or len(graph.readers[source]) > 1:
        return False
    node = graph.by_name[source]
    return layer_of(graph, Leaf(node, node.name)).gives_up
