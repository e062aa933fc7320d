"""What compile-time names stand for during expansion. Knows nothing of how it is computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias, TypeGuard

from netspec.builder import Instance, Value
from netspec.dim import Dim
from netspec.language import tree
from netspec.ops.initial import Init
from netspec.source import Span


class Module:
    """What the blocks of one file see: its own blocks, those that it uses, and its constants."""

    def __init__(self) -> None:
        self.blocks: dict[str, Closure] = {}
        self.constants: dict[str, object] = {}


class Closure(NamedTuple):
    """A block, and the file whose names it sees wherever it is called."""

    block: tree.Block
    home: Module


class Callee(NamedTuple):
    """An op or a block as a value: `act=relu`. An op has no closure."""

    name: str
    closure: Closure | None = None


class Shared:
    """A `share`: its pipeline, the names that it saw where it stands, and what its uses have in common.

    `failed` is set where its first use was wrong: the mistake is reported, and the other uses are skipped.
    `is_open` is set while a use of it is expanded.
    """

    def __init__(
        self, statement: tree.Share, home: Module, names: Mapping[str, object], instance: Instance
    ) -> None:
        self.statement = statement
        self.home = home
        self.names = names
        self.instance = instance
        self.failed = False
        self.is_open = False


class Flowing(NamedTuple):
    """A tensor on its way through the net, and the step that it came from."""

    value: Value
    origin: Span | None


@dataclass(frozen=True)
class Schedule:
    """A number that goes from `start` to `stop` over all ops of one kind in the net."""

    start: float
    stop: float

    def at(self, index: int, count: int) -> float:
        """What op number `index` of `count` gets, to 12 decimals; a single one gets `start`."""
        share = index / (count - 1) if count > 1 else 0.0
        return round(self.start + (self.stop - self.start) * share, 12)

    def __str__(self) -> str:
        return f"linear({self.start:g}, {self.stop:g})"


class Poison:
    """Stands for what could not be made: the mistake is reported, and what needs it is skipped."""


POISON: Final = Poison()

Tensors: TypeAlias = Flowing | Poison | tuple[Flowing | Poison, ...]


class Poisoned(Exception):
    """Something needs what could not be made."""


class Frame:
    """One block's variables, tensors, and current tensor (None before the first input).

    `statements` are the block's own, `given` the values of its parameters. It `is_doubtful` where a mistake
    may be that of the call rather than the block's.
    """

    def __init__(
        self,
        home: Module,
        current: Tensors | None = None,
        statements: Sequence[tree.Statement] = (),
        *,
        is_net: bool = False,
    ) -> None:
        self.home = home
        self.statements = statements
        self.given: dict[str, object] = {}
        self.is_doubtful = False
        self.names: dict[str, object] = {}
        self.tensors: dict[str, Tensors] = {}
        self.current = current
        self.is_net = is_net

    def give(self, name: str, value: object) -> None:
        """Bind a name. A tensor, or a list that holds tensors, is also known as `@name`."""
        self.names[name] = value
        if holds_tensor(value):
            self.tensors[name] = value  # type: ignore[assignment]


def plain(value: object, levels: int = 16) -> object:
    """A value as ops and the IR take it: ops and shared layers by name, lists of at most so many levels."""
    if isinstance(value, Callee):
        return value.name
    if isinstance(value, Shared):
        return value.statement.name.name
    if isinstance(value, tuple) and not isinstance(value, Flowing):
        if levels == 0:
            raise RecursionError
        return tuple([plain(item, levels - 1) for item in value])
    return value


def extent(value: tuple[object, ...], most: int, *, once: bool = False) -> int:
    """How many elements a list has, those of the lists in it included. Counts no further than `most`.

    With `once` a list that is held many times counts for one.
    """
    count, waiting, seen = 0, [value], set[int]()
    while waiting and count < most:
        items = waiting.pop()
        if once and id(items) in seen:
            continue
        seen.add(id(items))
        count += len(items)
        waiting.extend(item for item in items if type(item) is tuple)
    return count


def holds_tensor(value: object) -> bool:
    """Whether a value is a tensor, or a list that holds one. A list that is held many times is read once."""
    if not is_list(value):
        return isinstance(value, Flowing | Poison)
    return _leads_to_tensor(value, set())


def _leads_to_tensor(value: object, seen: set[int]) -> bool:
    if isinstance(value, Flowing | Poison):
        return True
    if not is_list(value) or id(value) in seen:
        return False
    seen.add(id(value))
    return any(_leads_to_tensor(item, seen) for item in value)


def show(value: object, levels: int = 3) -> str:
    """A value as the language writes it, shortened where it is long or deep."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "none"
    if isinstance(value, Callee):
        return value.name
    if isinstance(value, Shared):
        return value.statement.name.name
    if isinstance(value, Flowing):
        return f"a tensor of {value.value.shape}"
    if isinstance(value, Poison):
        return "a tensor"
    if isinstance(value, Init | Schedule):
        return str(value)
    if isinstance(value, str):
        text = f'"{value}"'
    elif isinstance(value, tuple):
        items = [show(item, levels - 1) for item in value[:8]] if levels else ["..."][: len(value)]
        text = f"[{', '.join(items)}{', ...' if levels and len(value) > 8 else ''}]"
    else:
        text = _fraction(value) if isinstance(value, float) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _fraction(value: float) -> str:
    """A whole one keeps its point: `8/2` is 4.0, which is no number of rounds."""
    return f"{value:.1f}" if value.is_integer() and abs(value) < 1e6 else f"{value:g}"


def kind(value: object) -> str:
    """What a value is, in words."""
    if isinstance(value, Callee):
        return "an op" if value.closure is None else "a block"
    if isinstance(value, Shared):
        return f"the shared `{value.statement.name.name}`"
    if isinstance(value, Flowing | Poison):
        return "a tensor"
    if isinstance(value, bool):
        return show(value)
    if value is None:
        return "none"
    if isinstance(value, Init):
        return "an initializer"
    if isinstance(value, Schedule):
        return "a schedule"
    if isinstance(value, int | float):
        return f"the number {show(value)}"
    if isinstance(value, Dim):
        return f"the size `{value}`, which is known only at run time"
    return "a list" if isinstance(value, tuple) else f"the word {show(value)}"


def is_list(value: object) -> TypeGuard[tuple[object, ...]]:
    """Whether a value is a list (named tuples stand for single things)."""
    return isinstance(value, tuple) and not isinstance(value, Callee | Flowing)


def assignments(names: Iterable[tuple[str, object]]) -> str:
    """`c = 64, stride = 2`: the values that a call or a loop had."""
    return ", ".join(f"{name} = {show(value)}" for name, value in names)
