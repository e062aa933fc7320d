"""Where an affine map can go: a wave from it to the layers that take it. Rewrites nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from netspec.ops import Op
from netspec.passes.affine import through
from netspec.passes.affine.absorb import Absorbed, Layer, behind, check_finite, in_front
from netspec.passes.affine.draft import Draft, Plan
from netspec.passes.affine.maps import Blocked, Map

if TYPE_CHECKING:
    from netspec.weights import Weights


class Stuck(Exception):
    """Why a map stays where it is, in words that name the node which does not let it go on."""


Takes = Callable[[Op], bool]
"""Whether a layer may take a map."""
_Take = Callable[[Layer, Sequence[Map | None], "Weights | None"], Absorbed]


def go_back(
    draft: Draft, movers: Mapping[str, Map], takes: Takes, *, is_direct: bool = False
) -> Plan:
    """How the layers before these nodes can do what the nodes do. Raises `Stuck`.

    A value becomes another one if all its readers want the same of it, or see nothing of the change,
    and if it is no result of the network. Where the way `is_direct`, no other op stands on it.
    """
    wanted: dict[str, dict[tuple[str, int], Map]] = {}
    absorbing: dict[str, tuple[Map | None, ...]] = {}
    queue = _Queue(draft, movers, -1)

    def want(reader: str, changes: Sequence[Map]) -> None:
        for slot, (source, change) in enumerate(zip(draft.inputs(reader), changes, strict=True)):
            wanted.setdefault(source, {})[reader, slot] = change
            queue.add(source)

    for name in queue:
        change = _agreed(draft, name, wanted[name]) if name in wanted else None
        if name in movers:
            want(name, [movers[name] if change is None else change.after(movers[name])])
            continue
        assert change is not None
        layer = draft.layer(name)
        if takes(layer.op):
            absorbing[name] = (change,)
        elif layer.op.kind == "input":
            raise Stuck(f"`{name}` is where data enters")
        elif is_direct:
            raise Stuck(f"`{name}` is no linear layer")
        else:
            with _about(name):
                want(name, through.backward(layer.op, layer.inputs, layer.output, change))
    return _plan(draft, movers, absorbing, _take_behind, part=not is_direct)


def go_on(draft: Draft, movers: Mapping[str, Map], takes: Takes, *, stay: bool = False) -> Plan:
    """How the layers behind these nodes can do what the nodes do. Raises `Stuck`.

    All that reads them takes the map or passes it on; no result of the network may lie on the way. Where
    the nodes `stay`, for they do more than these maps, none stands on another's way.
    """
    pending: dict[str, Map] = {}
    absorbing: dict[str, tuple[Map | None, ...]] = {}
    queue = _Queue(draft, movers, 1)
    for name in queue:
        layer = draft.layer(name)
        changes = tuple(pending.get(source) for source in draft.inputs(name))
        if name in movers:
            (before,) = changes
            if before is not None and stay:
                raise Stuck(f"`{name}` shares what stays")
            change = movers[name] if before is None else movers[name].after(before)
        elif takes(layer.op):
            absorbing[name] = changes
            continue
        else:
            with _about(name):
                change = _forward(layer, changes)
            if change.is_identity:
                continue
        if name in draft.results:
            raise Stuck(f"`{name}` is a result of the network")
        pending[name] = change
        for reader in draft.readers[name]:
            queue.add(reader)
    return _plan(draft, movers, absorbing, in_front, part=True)


class _Queue:
    """Nodes in the order of the graph, or against it, each once."""

    def __init__(self, draft: Draft, names: Iterable[str], sign: int) -> None:
        self._draft, self._sign = draft, sign
        self._waiting: list[tuple[int, str]] = []
        self._seen: set[str] = set()
        for name in names:
            self.add(name)

    def add(self, name: str) -> None:
        """Put a node in line, unless it was."""
        if name not in self._seen:
            self._seen.add(name)
            heappush(self._waiting, (self._sign * self._draft.order[name], name))

    def __iter__(self) -> Iterator[str]:
        while self._waiting:
            yield heappop(self._waiting)[1]


@contextmanager
def _about(name: str) -> Iterator[None]:
    """Say which node it is that blocks the way."""
    try:
        yield
    except Blocked as reason:
        raise Stuck(f"`{name}` {reason}") from None


def _agreed(draft: Draft, name: str, wants: Mapping[tuple[str, int], Map]) -> Map:
    """What a value is to become. Raises `Stuck` where a reader wants it otherwise."""
    if name in draft.results:
        raise Stuck(f"`{name}` is a result of the network")
    change, *others = wants.values()
    if not all(change.equals(other) for other in others):
        raise Stuck(f"`{name}` would have to be scaled in several ways")
    askers = {reader for reader, _ in wants}
    for reader in draft.readers[name]:
        if reader not in askers and not _is_blind(draft, reader, name, change):
            raise Stuck(f"`{reader}` reads `{name}` too")
    return change


def _is_blind(draft: Draft, reader: str, source: str, change: Map) -> bool:
    """Whether a reader sees nothing of a change: a slice of other channels."""
    changes = tuple(change if name == source else None for name in draft.inputs(reader))
    try:
        return _forward(draft.layer(reader), changes).is_identity
    except Blocked:
        return False


def _forward(layer: Layer, changes: Sequence[Map | None]) -> Map:
    if layer.op.batchless:  # reads how many examples there are, and nothing else
        return Map.identity(len(layer.output.sizes))
    whole = [
        Map.identity(len(x.sizes)) if change is None else change
        for change, x in zip(changes, layer.inputs, strict=True)
    ]
    return through.forward(layer.op, layer.inputs, layer.output, whole)


def _take_behind(layer: Layer, changes: Sequence[Map | None], weights: Weights | None) -> Absorbed:
    (change,) = changes
    assert change is not None
    return behind(layer, change, weights)


def _plan(
    draft: Draft,
    movers: Iterable[str],
    absorbing: Mapping[str, tuple[Map | None, ...]],
    take: _Take,
    *,
    part: bool,
) -> Plan:
    """The layers take what reached them, each in all places where its weights are used. Raises `Stuck`.

    Places that take different maps `part`: each gets weights of its own.
    """
    changed: dict[str, Absorbed] = {}
    parted: list[str] = []
    for owner in dict.fromkeys(draft.owners[name] for name in absorbing):
        uses = draft.uses[owner]
        if (reason := _unlike(uses, absorbing)) is not None:
            if not (part and draft.can_part(owner)):
                raise Stuck(reason)
            parted.append(owner)
        for name in uses:
            if name in absorbing:
                with _about(name):
                    changed[name] = take(draft.layer(name), absorbing[name], draft.weights)
                    check_finite(changed[name])
    return Plan(changed, tuple(movers), tuple(parted))


def _unlike(uses: Sequence[str], absorbing: Mapping[str, tuple[Map | None, ...]]) -> str | None:
    """Why places that share weights cannot take what reached them together, or None."""
    first = next(name for name in uses if name in absorbing)
    for name in uses:
        if name not in absorbing:
            return f"`{first}` shares its weights with `{name}`"
        if not _same(absorbing[name], absorbing[first]):
            return f"`{first}` shares its weights with `{name}`, which would take another map"
    return None


def _same(some: Sequence[Map | None], others: Sequence[Map | None]) -> bool:
    return all(
        a is b or (a is not None and b is not None and a.equals(b))
        for a, b in zip(some, others, strict=True)
    )
