"""Axes taken apart, reordered and joined: the arithmetic of reshapes and transposes. Knows no op."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain, pairwise
from math import prod
from typing import NamedTuple, NoReturn

from netspec.ops.base import Rejected
from netspec.shape import AXES_BY_RANK, Shape

Group = tuple[str, ...]

_TOKEN = re.compile(r"\s*([A-Za-z_]\w*|\d+|[()]|->|\S)", re.ASCII)
_LAST = {1: "c", 2: "tc", 3: "ntc", 4: "nhwc"}
"""What axes are called by their number where the features come last."""
_SPARE = "tnmkjuvxyz"
MOST = 8
"""Axes of one tensor, the batch apart."""


class Moves(NamedTuple):
    """A value's way in memory: shape it as `split`, put the axes in this `order`, shape it as `joined`.

    What would change nothing is None. Neither sizes nor order count the batch axis.
    """

    split: tuple[int, ...] | None
    order: tuple[int, ...] | None
    joined: tuple[int, ...] | None


class Grouping(NamedTuple):
    """How axes become other axes. Each group is one axis: elementary axes, the slowest first.

    Both sides hold the same elementary axes, each once; `sizes` tells how long each is.
    """

    left: tuple[Group, ...]
    right: tuple[Group, ...]
    sizes: Mapping[str, int]

    @property
    def result(self) -> tuple[int, ...]:
        """The sizes of the axes on the right."""
        return self._lengths(self.right)

    def moves(self, before: Sequence[int] = (), after: Sequence[int] = ()) -> Moves:
        """The fewest moves.

        `before` and `after` are the orders in which memory holds the axes of the two sides, where they
        are not the groups' own.
        """
        left = [self.left[i] for i in before] if before else list(self.left)
        right = [self.right[i] for i in after] if after else list(self.right)
        given, wanted = self._lengths(left), self._lengths(right)
        runs = self._runs(left, right)
        split = tuple(self._length(run) for run in runs)
        place = {run: i for i, run in enumerate(runs)}
        order = tuple(place[run] for run in self._runs(right, left))
        if order == tuple(sorted(order)):
            return Moves(None, None, None if wanted == given else wanted)
        moved = tuple(split[i] for i in order)
        return Moves(None if split == given else split, order, None if moved == wanted else wanted)

    def _runs(self, side: Sequence[Group], other: Sequence[Group]) -> list[Group]:
        """The elementary axes of a side; neighbours on both sides that share an axis go as one."""
        following = dict(pairwise(self._names(other)))
        together = {pair for group in (*side, *other) for pair in pairwise(self._names([group]))}
        runs: list[Group] = []
        for name in self._names(side):
            if runs and following.get(runs[-1][-1]) == name and (runs[-1][-1], name) in together:
                runs[-1] = (*runs[-1], name)
            else:
                runs.append((name,))
        return runs

    def _names(self, side: Sequence[Group]) -> list[str]:
        """The elementary axes of more than one element, which alone are ever moved."""
        return [name for name in chain(*side) if self.sizes[name] != 1]

    def _length(self, group: Group) -> int:
        return prod(self.sizes[name] for name in group)

    def _lengths(self, side: Sequence[Group]) -> tuple[int, ...]:
        return tuple(map(self._length, side))


def parse_pattern(text: str) -> tuple[tuple[Group, ...], tuple[Group, ...]]:
    """The two sides of `c (h p) (w q) -> (h w) (p q c)`. A `1` becomes a name of its own. Raises `Rejected`."""
    sides: list[list[Group]] = [[]]
    inside: list[str] | None = None
    ones = 0
    for token in _TOKEN.findall(text):
        if token == "->":
            if inside is not None:
                _bad("a `(` is not closed before the arrow")
            sides.append([])
        elif token == "(":
            if inside is not None:
                _bad("brackets stand within brackets")
            inside = []
        elif token == ")":
            if inside is None:
                _bad("a `)` closes nothing")
            sides[-1].append(tuple(inside))
            inside = None
        elif token == ".":
            _bad("`...` stands for no axis here", "name every axis; the batch axis is not written")
        elif token[0].isdigit() and token != "1":
            _bad(f"`{token}` is not a name", "give a size behind the pattern: `p=2`")
        elif not (token == "1" or token[0].isalpha() or token[0] == "_"):
            _bad(f"`{token}` means nothing")
        else:
            if token == "1":
                ones += 1
                token = f"1.{ones}"
            if inside is None:
                sides[-1].append((token,))
            else:
                inside.append(token)
    if inside is not None:
        _bad("a `(` is not closed")
    if len(sides) != 2:
        _bad("it has one `->`", 'write `rearrange "c h w -> (h w) c"`')
    left, right = map(tuple, sides)
    if max(len(left), len(right)) > MOST:
        _bad(f"it has more than {MOST} axes")
    _check_names(left, right)
    return left, right


def _check_names(left: tuple[Group, ...], right: tuple[Group, ...]) -> None:
    for side, where in ((left, "left"), (right, "right")):
        for name, count in Counter(chain(*side)).items():
            if count > 1:
                _bad(f"`{name}` stands {count} times on the {where}")
    names = [{name for name in chain(*side) if name[0] != "1"} for side in (left, right)]
    for here, there, where in ((0, 1, "left"), (1, 0, "right")):
        for name in sorted(names[here] - names[there]):
            _bad(
                f"`{name}` stands on the {where} only",
                "a pattern rearranges: it neither repeats nor drops an axis",
            )


def solve(x: Shape, text: str, given: Mapping[str, int]) -> Grouping:
    """The grouping that a pattern means for a tensor, its sizes given or computed. Raises `Rejected`."""
    left, right = parse_pattern(text)
    if len(left) != len(x.sizes):
        _bad(
            f"its left side has {_count(len(left), 'axis', 'axes')}, but the tensor is {x}",
            f"its axes are {' '.join(x.axes)}; the batch axis is not written",
        )
    known = set(chain(*left))
    for name, size in given.items():
        if size < 1:
            raise Rejected("bad-argument", f"`{name}` must be at least 1, got {size}", param=name)
        if name not in known:
            raise Rejected(
                "bad-pattern",
                f"the pattern has no axis `{name}`",
                param=name,
                help=f"its axes are {', '.join(f'`{n}`' for n in chain(*left) if n[0] != '1')}",
            )
    sizes = {name: 1 for name in chain(*left, *right) if name[0] == "1"} | dict(given)
    for group, letter, size in zip(left, x.axes, x.sizes, strict=True):
        _solve_group(group, letter, size, sizes)
    return Grouping(left, right, sizes)


def _solve_group(group: Group, letter: str, size: int, sizes: dict[str, int]) -> None:
    """Fill in the one size that an axis leaves open."""
    unknown = [name for name in group if name not in sizes]
    rest = prod(sizes[name] for name in group if name in sizes)
    words = "1" if not group or group[0][0] == "1" else " ".join(group)
    if len(unknown) > 1:
        listed = " and ".join(f"`{name}`" for name in unknown)
        _bad(f"the sizes of {listed} cannot be told from {size}", f"give one: `{unknown[-1]}=2`")
    if unknown:
        if size % rest:
            _bad(f"`({words})` needs a multiple of {rest}, but axis `{letter}` is {size}")
        sizes[unknown[0]] = size // rest
    elif rest != size:
        _bad(f"`{words}` is {rest}, but axis `{letter}` is {size}")


def _bad(fact: str, help: str | None = None) -> NoReturn:  # noqa: A002 (the words of a diagnostic)
    raise Rejected("bad-pattern", f"a pattern that cannot be: {fact}", param="pattern", help=help)


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def letters(side: Sequence[Group]) -> str:
    """What the axes of a pattern's side are called.

    A name of one letter is the axis's own, and a last axis that joins `c` with others is `c`. Any other
    axis takes the usual letter of its place (`c`, `t c`, `c h w`, `c d h w`; where `c` comes last `n t c`
    and `n h w c`), or a spare one where that is taken.
    """
    own = [g[0] if len(g) == 1 and len(g[0]) == 1 and g[0].isalpha() else "" for g in side]
    if side and "c" in side[-1]:
        own[-1] = "c"
    usual = (_LAST if own and own[-1] == "c" else AXES_BY_RANK).get(len(side), "")
    taken = {letter for letter in own if letter}
    for i, letter in enumerate(own):
        if not letter:
            wanted = usual[i : i + 1] + _SPARE
            own[i] = next(each for each in wanted if each not in taken)
            taken.add(own[i])
    return "".join(own)
