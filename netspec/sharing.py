"""Where nodes share weights, and whether they may: every use of an instance mirrors the first. Knows no op by name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from netspec.diagnostics import Diagnostic, SpecError
from netspec.ir import Graph, Node, Output, weight_path
from netspec.ops import Weight


class Use(NamedTuple):
    """One use of a shared instance: the path of its scope, or of its only node, and its nodes in order."""

    path: str
    nodes: tuple[Node, ...]

    def local(self, name: str) -> str | None:
        """A node's name within the use ("" for its only node), or None where it stands outside."""
        if name == self.path:
            return ""
        return name[len(self.path) :] if name.startswith(f"{self.path}.") else None


def places(name: str, other: str) -> tuple[str, str] | None:
    """Where two paths part, `("enc2", "enc")` for `enc2.conv1` and `enc.conv1`; None unless in one word only."""
    words, others = name.split("."), other.split(".")
    unlike = [i for i, pair in enumerate(zip(words, others, strict=False)) if len({*pair}) > 1]
    if len(words) != len(others) or len(unlike) != 1:
        return None
    end = unlike[0] + 1
    return ".".join(words[:end]), ".".join(others[:end])


def mirrors(graph: Graph, node: Node) -> bool:
    """Whether a node is another place of the one that it shares, rather than a borrower of its weights."""
    if node.shares is None:
        return False
    return not node.op.borrows or graph.by_name[node.shares].op.borrows


def difference(first: Use, later: Use, weights: Callable[[Node], Sequence[Weight]]) -> str | None:
    """What keeps a later use from being the first one in another place, or None.

    1. Both have nodes of the same kinds under the same names, in the same order.
    2. Corresponding nodes need the same weights.
    3. They read corresponding nodes, and outside of the use one value where the other reads one.
    """
    names, own = ([use.local(node.name) for node in use.nodes] for use in (first, later))
    if len(names) != len(own):
        return f"it has {len(names)} layers, not {len(own)}"
    if names != own:
        return "its layers have other names"
    outside: dict[str, str] = {}
    inverse: dict[str, str] = {}
    for node, twin in zip(first.nodes, later.nodes, strict=True):
        if node.op.kind != twin.op.kind:
            return f"`{node.name}` is a `{node.op.kind}`, not a `{twin.op.kind}`"
        if (fault := _unlike_weights(node, weights(node), weights(twin))) is not None:
            return fault
        if len(node.inputs) != len(twin.inputs):
            return f"`{node.name}` reads {len(node.inputs)} tensors, not {len(twin.inputs)}"
        for source, other in zip(node.inputs, twin.inputs, strict=True):
            inner = first.local(source)
            alike = inner == later.local(other)
            if inner is None and alike:
                alike = outside.setdefault(source, other) == other
                alike = alike and inverse.setdefault(other, source) == source
            if not alike:
                return f"`{node.name}` reads `{source}`, which is not the place of `{other}`"
    return None


def _unlike_weights(node: Node, own: Sequence[Weight], others: Sequence[Weight]) -> str | None:
    for weight, other in zip(own, others, strict=False):
        if weight != other:
            return f"`{weight_path(node.name, weight.name)}` is {_size(weight)}, not {_size(other)}"
    if len(own) != len(others):
        return f"`{node.name}` has {len(own)} weights, not {len(others)}"
    return None


def _size(weight: Weight) -> str:
    return " x ".join(map(str, weight.shape)) or "a single number"


def in_every_use(uses: Sequence[Use], needed: Collection[str]) -> set[str]:
    """The nodes of all uses of which anything is needed, that are needed in one of them."""
    living = [use for use in uses if any(node.name in needed for node in use.nodes)]
    locals_ = {use.local(node.name) for use in living for node in use.nodes if node.name in needed}
    return {node.name for use in living for node in use.nodes if use.local(node.name) in locals_}


def settle_uses(
    graph: Graph, instances: Iterable[Sequence[Use]], lenders: Mapping[str, Sequence[Use]]
) -> Graph:
    """The graph whose later uses share what the first one has, and whose borrowers share what they borrow.

    Uses that are not part of the graph do not count: the first that is has the instance's own name.
    Where an instance stands within another, its uses share what the outer one's first use has.
    Raises `SpecError` where no use of a lender precedes the borrower.
    """
    order = {node.name: i for i, node in enumerate(graph.nodes)}

    def living(uses: Sequence[Use]) -> list[Use]:
        return [use for use in uses if any(node.name in order for node in use.nodes)]

    shares: dict[str, str] = {}
    for borrower, uses in lenders.items():
        owner = next((use.path for use in living(uses) if use.path in order), None)
        if owner is None or order[owner] > order[borrower]:
            message = f"`{borrower}` works with the weights of `{uses[0].path}`, which leads to no result before it"
            help_ = "use the shared layer on the way to a result, before its weights are tied"
            position = graph.positions.get(borrower)
            raise SpecError(Diagnostic("unused-owner", message, help=help_, position=position))
        shares[borrower] = owner
    moved: dict[str, str] = {}
    for uses in sorted(instances, key=lambda uses: -uses[0].path.count(".")):  # inner ones first
        present = living(uses)
        for use, named in zip(present, uses, strict=False):
            moved[use.path] = named.path
        for use in present[1:]:
            for node in use.nodes:
                shares[node.name] = present[0].path + (use.local(node.name) or "")
    if all(old == new for old, new in moved.items()):
        moved = {}
    return _renamed(graph, moved, shares) if shares or moved else graph


def _renamed(graph: Graph, moved: Mapping[str, str], shares: Mapping[str, str]) -> Graph:
    """The graph with some paths moved beside themselves, and with nodes that share others."""

    def path(old: str) -> str:
        ends = [i for i, character in enumerate(old) if character == "."] if moved else []
        words = (moved.get(old[:end], old[:end]).rpartition(".")[2] for end in [*ends, len(old)])
        return ".".join(words) if moved else old

    nodes = []
    for node in graph.nodes:
        owner = shares.get(node.name)
        changes = {
            "name": path(node.name),
            "inputs": tuple(map(path, node.inputs)),
            "shares": None if owner is None else path(owner),
        }
        nodes.append(node.model_copy(update=changes))
    return graph.having(
        nodes=tuple(nodes),
        outputs=tuple(Output(name=each.name, node=path(each.node)) for each in graph.outputs),
        scopes=tuple(scope.model_copy(update={"path": path(scope.path)}) for scope in graph.scopes),
        positions={path(old): at for old, at in graph.positions.items()},
        tensors={
            path(scope): {path(node): name for node, name in names.items()}
            for scope, names in graph.tensors.items()
        },
    )
