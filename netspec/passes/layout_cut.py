"""Which of two layouts each value has, so that the fewest are converted. Knows neither layouts nor ops."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TypeAlias

Layout: TypeAlias = str
"""One of the two layouts, or a name that stands for the one which is chosen for it."""


class Cut:
    """The choice of layouts as a minimum cut: what ends on the side of the first one has that layout.

    An edge cut between two layouts is a conversion. A value with several readers is converted for all of
    them at once: their edges meet in a vertex of their own.
    """

    def __init__(self, first: Layout, second: Layout) -> None:
        self._sides = first, second
        self._readers: dict[str, tuple[Layout, set[Layout]]] = {}
        self._kin: list[tuple[Layout, Layout]] = []

    def read(self, value: str, native: Layout, wanted: Layout, is_first: bool = False) -> None:
        """Some op, or a result, reads a value that is made in one layout in another, or the same.

        Of equal choices, what `is_first` said of has one layout, if it may.
        """
        self._readers.setdefault(value, (native, set()))[1].add(wanted)
        if is_first:
            self._kin.append((native, wanted))

    def layouts(self) -> dict[Layout, Layout]:
        """A layout for every name that stands for one."""
        chosen: dict[Layout, Layout] = {}
        for group in self._components():
            chosen.update(group.solve())
        return chosen

    def _components(self) -> Iterable[_Flow]:
        """What has no influence on each other, apart: the time of a cut grows faster than its size."""
        leader: dict[str, str] = {}

        def find(name: str) -> str:
            while leader.setdefault(name, name) != name:
                leader[name] = name = leader.setdefault(leader[name], leader[name])
            return name

        free: dict[str, list[str]] = {}
        for value, (native, wanted) in self._readers.items():
            free[value] = [name for name in (native, *sorted(wanted)) if name not in self._sides]
            for name in free[value]:
                leader[find(name)] = find(free[value][0])
        flows: dict[str, _Flow] = {}
        for value, (native, wanted) in self._readers.items():
            if free[value]:
                flow = flows.setdefault(find(free[value][0]), _Flow(self._sides))
                flow.value(value, native, wanted)
        for native, layout in self._kin:
            flows[find(layout)].prefer(native, layout)
        return flows.values()


class _Flow:
    """A network of capacities from one layout to the other, and the cut of least capacity that parts them."""

    def __init__(self, sides: tuple[Layout, Layout]) -> None:
        self._source, self._sink = sides
        self._readings: list[tuple[str, Layout, set[Layout]]] = []
        self._kin: list[tuple[Layout, Layout]] = []
        self._capacity: dict[str, dict[str, int]] = {}

    def value(self, value: str, native: Layout, wanted: set[Layout]) -> None:
        """A value whose conversion counts once, whoever wants it."""
        self._readings.append((value, native, wanted))

    def prefer(self, a: Layout, b: Layout) -> None:
        """Of choices with equally many conversions, one where these two are the same."""
        self._kin.append((a, b))

    def solve(self) -> Iterator[tuple[str, Layout]]:
        """The layout of every free name."""
        cost = len(self._kin) + 1
        for value, native, wanted in self._readings:
            late, early = f"{value}>", f"{value}<"
            self._edge(native, late, cost)
            self._edge(early, native, cost)
            for layout in sorted(wanted):
                self._edge(late, layout, cost)
                self._edge(layout, early, cost)
        for a, b in self._kin:
            self._edge(a, b, 1)
            self._edge(b, a, 1)
        while path := self._augmenting():
            room = min(self._capacity[a][b] for a, b in path)
            for a, b in path:
                self._edge(a, b, -room)
                self._edge(b, a, room)
        reached = self._reached()
        names = {name for _, native, wanted in self._readings for name in (native, *wanted)}
        for name in sorted(names.difference((self._source, self._sink))):
            yield name, self._source if name in reached else self._sink

    def _edge(self, a: str, b: str, capacity: int) -> None:
        self._capacity.setdefault(b, {}).setdefault(a, 0)
        edges = self._capacity.setdefault(a, {})
        edges[b] = edges.get(b, 0) + capacity

    def _reached(self) -> dict[str, str]:
        """What the source reaches over edges that have room, each with the vertex before it."""
        reached = {self._source: self._source}
        waiting = deque([self._source])
        while waiting and self._sink not in reached:
            vertex = waiting.popleft()
            for following, room in self._capacity.get(vertex, {}).items():
                if room > 0 and following not in reached:
                    reached[following] = vertex
                    waiting.append(following)
        return reached

    def _augmenting(self) -> list[tuple[str, str]]:
        """The edges of a shortest path with room from the source to the sink."""
        reached = self._reached()
        path: list[tuple[str, str]] = []
        vertex = self._sink
        while vertex in reached and vertex != self._source:
            path.append((reached[vertex], vertex))
            vertex = reached[vertex]
        return path
