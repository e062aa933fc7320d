"""What differs between the instances of one definition -> its parameters, and formulas and conditions of them.

Knows constants in columns, one value for each instance; nothing of graphs or frameworks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple, TypeAlias

from netspec.emit.constants import ABSENT, PRESENT, Absent, Class, Constant, Value
from netspec.emit.names import Names
from netspec.emit.source import Code, Expr, Infix, Unanimous, codes

IN_CHANNELS = "in_channels"
WIDTHS = (
    *("in_channels", "in_features", "num_features", "normalized_shape", "groups"),
    *("out_channels", "out_features", "filters", "units"),
)
"""Arguments that may be said in terms of the width of the block's input."""

_DIGITS = "0123456789"

Column: TypeAlias = "tuple[Constant, ...]"
Known: TypeAlias = "tuple[Value, ...]"
Columns: TypeAlias = Mapping[str, Known]


class Parameters:
    """The parameters that a definition turns out to need.

    `known` are the columns that they may be: the block's own parameters, and the width of its first input.
    `widths` are names of arguments that say how wide something is; names of parameters come to it.
    `reshaping` tells of each optional item whether without it something has another shape.
    """

    def __init__(
        self,
        known: Columns,
        reserved: Collection[str],
        widths: set[str],
        reshaping: Mapping[str, bool],
    ) -> None:
        self._known = dict(known)
        self._widths = widths
        self._reshaping = reshaping
        self._order = list(known)
        self._names = Names({*reserved, *known, IN_CHANNELS})
        self._used: dict[str, Known] = {}

    def columns(self) -> dict[str, Known]:
        """The values of each parameter: the input's width, then the block's own in their order, then others."""
        declared = [name for name in (IN_CHANNELS, *self._order) if name in self._used]
        return {name: self._used[name] for name in dict.fromkeys([*declared, *self._used])}

    def word(self, local: str, hint: str, column: Column, is_used: bool) -> Expr:
        """What stands for a constant of an item: itself, a parameter, or a formula of parameters.

        `hint` is the argument where it stands. What is `is_used`, and not constructed with, may also be
        a parameter that was made for another constant.
        """
        given = [value for value in column if not isinstance(value, Absent)]
        if isinstance(given[0], Unanimous):
            return Unanimous(all(value == Unanimous(True) for value in given))
        if all(_equal(value, given[0]) for value in given):
            return self._general(hint, column) or given[0]
        if is_used and hint != PRESENT:
            # PyTorch's compiler types what no instance runs, too.
            column = tuple(given[0] if isinstance(value, Absent) else value for value in column)
        if hint == PRESENT:
            return self._condition(local, tuple(bool(value) for value in column), is_used)
        word = self._word(local, hint, column, is_used)
        names = [*codes(word)]
        if hint in self._widths and len(names) == 1:
            self._widths.add(str(names[0]))
        return word

    def inner_word(self, name: str, column: Column) -> Expr:
        """What an instance gives for a parameter of the one within it, or None where its own do not tell.

        The parameter itself or another, a formula of them, or the number that all give.
        """
        own = {**self._known, **self._used}
        candidates = {name: own[name], **own} if name in own else own
        for other, known in candidates.items():
            if _columns_equal(known, column):
                return self._use(other)
        for other, known in candidates.items():
            less = _difference(other, known, column)
            counts = other not in self._widths and less is not None and less.operands[1] == 1
            formula = less if counts else _formula(other, known, column) or less
            if formula is not None:
                self._use(other)
                return formula
        given = [value for value in column if not isinstance(value, Absent)]
        return given[0] if all(_equal(value, given[0]) for value in given) else None

    def _general(self, hint: str, column: Column) -> Expr:
        """A parameter that says more than the one number of the few instances which have an optional item.

        One, which arguments are by default, says nothing itself.
        """
        for name, known in self._used.items() if ABSENT in column else ():
            if 1 in column and not name == hint == IN_CHANNELS:
                continue
            both_widths = hint in self._widths and name in self._widths and name != IN_CHANNELS
            is_meant = both_widths or name in (hint, hint.removesuffix("s"))
            if is_meant and _columns_equal(known, column):
                return Code(name)
        return None

    def _word(self, local: str, hint: str, column: Column, is_used: bool) -> Expr:
        is_class = any(isinstance(value, Class) for value in column)
        known = {**self._known, **self._used} if is_used or is_class else self._known
        is_width = hint in self._widths
        candidates = {n: c for n, c in known.items() if n != IN_CHANNELS or is_width}
        for name, candidate in candidates.items():
            if _columns_equal(candidate, column):
                return self._use(name)
        if (sizes := self._sizes(column)) is not None:
            return sizes
        # What some instances lack is said as it would be for all, where that is possible.
        formulas = (self._multiple, self._product)
        for formula in formulas[:: -1 if ABSENT in column else 1]:
            found = formula(candidates, column, is_width)
            if found is not None:
                return found
        return self._new(self._title(local, hint, column, is_used), column)

    def _sizes(self, column: Column) -> Expr:
        """A tuple of numbers and of the width of the input, where that tells all."""
        rows = [value for value in column if isinstance(value, tuple)]
        widths = self._known.get(IN_CHANNELS)
        if widths is None or len(rows) < len(column) or len({*map(len, rows)}) > 1:
            return None
        words: list[Expr] = []
        for values in zip(*rows, strict=True):
            if _columns_equal(widths, values):
                words.append(Code(IN_CHANNELS))
            elif all(_equal(value, values[0]) for value in values):
                words.append(values[0])
            else:
                return None
        self._use(IN_CHANNELS)
        return tuple(words)

    def _multiple(self, candidates: Columns, column: Column, _is_width: bool) -> Expr:
        for name, candidate in candidates.items():
            formula = _formula(name, candidate, column)
            if formula is not None:
                self._use(name)
                return formula
        return None

    def _product(self, candidates: Columns, column: Column, is_width: bool) -> Expr:
        for (name, a), (other, b) in combinations(candidates.items(), 2) if is_width else ():
            if _columns_equal(_products(a, b), column):
                return Infix("*", (self._use(name), self._use(other)))
        return None

    def _use(self, name: str) -> Code:
        self._used.setdefault(name, self._known.get(name, ()))
        return Code(name)

    def _new(self, title: str, column: Column) -> Code:
        """A parameter beside the block's own; an instance that does not need it gives None."""
        name = title if title in self._known else self._names.fresh(title)
        self._known.pop(name, None)
        self._used[name] = tuple(None if isinstance(v, Absent) else v for v in column)
        return Code(name)

    def _title(self, local: str, hint: str, column: Column, is_used: bool) -> str:
        """A class is called as the block's parameter that has as many values, in the same places."""
        if any(isinstance(value, Class) for value in column):
            for name, known in self._known.items():
                if not all(value is None or isinstance(value, str) for value in known):
                    continue
                pairs = {(a, b) for a, b in zip(known, column, strict=True) if b is not ABSENT}
                if len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}):
                    return name
        return _wanted(local, hint, is_used)

    def _condition(self, local: str, column: tuple[bool, ...], is_used: bool) -> Code:
        """A test of parameters that says which instances have what is optional, or a parameter that does.

        What is constructed asks whether it is given what it needs, unless it changes the shape; that and what is
        computed ask how shapes change.
        """
        reshapes = False if is_used else self._reshaping.get(local)
        by_shape = is_used or bool(reshapes)
        opposite = tuple(not value for value in column)
        # What reshapes is there where a shape changes, what does not where it stays.
        likely = {True: (column,), False: (opposite,), None: (column, opposite)}[reshapes]
        columns = {**self._used, **{n: c for n, c in self._known.items() if n not in self._used}}
        tests = list(_tests(columns, self._used, self._widths))
        shapes = [test for test in tests if test.of_shape]
        fitting = [test for test in tests if test.column in (column, opposite)]
        for test in sorted(
            fitting, key=lambda t: (t.of_shape != by_shape, t.of_shape and t.column not in likely)
        ):
            return self._tested([test], test.text if test.column == column else test.negated)
        for pair in combinations(shapes, 2):
            either = tuple(map(any, zip(*(test.column for test in pair), strict=True)))
            if either == column:
                return self._tested(pair, " or ".join(test.text for test in pair))
            if either == opposite:
                return self._tested(pair, " and ".join(test.negated for test in pair))
        for name, known in self._known.items():
            if column == tuple(value is not None for value in known):
                return self._new(name, column)
        return self._new(_wanted(local, "", is_used=True), column)

    def _tested(self, tests: Sequence[_Test], text: str) -> Code:
        for test in tests:
            for name in test.names:
                self._use(name)
        return Code(text)


class _Test(NamedTuple):
    """A condition with its opposite, and whether each instance meets it. `of_shape`: it asks if a shape changes."""

    names: tuple[str, ...]
    text: str
    negated: str
    column: tuple[bool, ...]
    of_shape: bool = False


def _tests(columns: Columns, used: Collection[str], widths: Collection[str]) -> Iterator[_Test]:
    """What may decide about an option, the likeliest first: a new width, flags, what is None, 0 or 1."""
    changes = list(_changes(columns, used, widths))
    yield from (test for factor, test in changes if factor == 1)
    for name, column in columns.items():
        kinds = {type(value) for value in column}
        if kinds == {bool}:
            yield _Test((name,), name, f"not {name}", tuple(map(bool, column)))
        if type(None) in kinds and str not in kinds:
            there = tuple(value is not None for value in column)
            yield _Test((name,), f"{name} is not None", f"{name} is None", there)
        if kinds == {int} and name != IN_CHANNELS:
            yield _Test((name,), f"{name} > 0", f"{name} == 0", tuple(v != 0 for v in column))
            ones = tuple(value != 1 for value in column)
            yield _Test((name,), f"{name} != 1", f"{name} == 1", ones, of_shape=True)
    yield from (test for factor, test in changes if factor > 1)


def _changes(
    columns: Columns, used: Collection[str], widths: Collection[str]
) -> Iterator[tuple[int, _Test]]:
    """Whether the input is as wide as a parameter, or a number of times wider; with that number."""
    before = columns.get(IN_CHANNELS, ())
    for name, column in columns.items() if before else ():
        is_number = name not in used and len({*column}) == 1
        is_width = name in widths or is_number
        if name == IN_CHANNELS or not is_width or {*map(type, column)} != {int}:
            continue
        names = (IN_CHANNELS,) if is_number else (IN_CHANNELS, name)
        for factor in (1,) if is_number else _factors(before, column):
            wanted = [value * factor for value in column if isinstance(value, int)]
            width = str(wanted[0]) if is_number else name if factor == 1 else f"{factor} * {name}"
            unlike = tuple(a != b for a, b in zip(before, wanted, strict=True))
            test, opposite = (f"{IN_CHANNELS} {sign} {width}" for sign in ("!=", "=="))
            yield factor, _Test(names, test, opposite, unlike, of_shape=True)


def _factors(widths: Known, column: Known) -> Iterator[int]:
    """How many times wider than a parameter some instance's input is."""
    pairs = [
        (a, b) for a, b in zip(widths, column, strict=True) if type(a) is type(b) is int and b > 0
    ]
    yield from sorted({a // b for a, b in pairs if a % b == 0 and a >= b})


def _wanted(local: str, hint: str, is_used: bool) -> str:
    """`conv2_padding` for the padding of `conv2`, `drop_path` for the only number of `drop_path1`.

    What `forward` uses may stand for several equal sizes, so no number of a layer or an axis tells it.
    """
    name = local.replace(".", "_").replace("-", "_")
    if is_used:
        hint = hint.rstrip(_DIGITS)
    if is_used or len(hint) < 2:
        name = name.rstrip(_DIGITS)
    name = f"{name}_{hint}" if len(hint) > 1 else name
    return name if name[:1].isalpha() else f"layer_{name}"


def _formula(name: str, column: Known, values: Column) -> Infix | Code | None:
    """`4 * name`, `name // 2` or, of a fraction, `-name` where that gives the values for every instance."""
    present = [pair for pair in zip(column, values, strict=True) if pair[1] is not ABSENT]
    if present and all(type(x) is type(y) is float and y == -x for x, y in present):
        return Code(f"-{name}")
    pairs: list[tuple[int, int]] = []
    for before, after in zip(column, values, strict=True):
        if isinstance(after, Absent):
            continue
        if type(before) is not int or type(after) is not int or before < 1 or after < 0:
            return None
        pairs.append((before, after))
    before, after = next((pair for pair in pairs if pair[1]), (1, 0))
    factor = after // before
    if factor > 1 and all(y == factor * x for x, y in pairs):
        return Infix("*", (factor, Code(name)))
    smallest = before // (after + 1) + 1
    for divisor in range(max(smallest, 2), smallest + 8):
        if all(y == x // divisor for x, y in pairs):
            return Infix("//", (Code(name), divisor))
    return None


def _difference(name: str, column: Known, values: Column) -> Infix | None:
    """`name - 1` where that gives the values for every instance."""
    pairs = [(a, b) for a, b in zip(column, values, strict=True) if not isinstance(b, Absent)]
    steps = {a - b if type(a) is type(b) is int else 0 for a, b in pairs}
    step = steps.pop() if len(steps) == 1 else 0
    return None if step <= 0 else Infix("-", (Code(name), step))


def _products(a: Known, b: Known) -> Known:
    """The products of two columns of whole numbers; None where there is none."""
    pairs = zip(a, b, strict=True)
    return tuple(x * y if type(x) is type(y) is int else None for x, y in pairs)


def _equal(a: Constant, b: Constant) -> bool:
    return type(a) is type(b) and a == b


def _columns_equal(known: Known, column: Column) -> bool:
    pairs = zip(known, column, strict=True)
    return all(isinstance(value, Absent) or _equal(each, value) for each, value in pairs)


def usual(column: Known, is_width: bool) -> Constant:
    """The value that most instances have, for a default; a width has none but 1, and what has none is `ABSENT`."""
    value = max(column, key=lambda each: sum(_equal(each, other) for other in column))
    count = sum(_equal(value, other) for other in column)
    return value if 2 * count > len(column) and not (is_width and value != 1) else ABSENT


def annotation(column: Known) -> str:
    """The type of a parameter with these values."""
    return " | ".join(sorted({_kind(value) for value in column}, key=lambda k: (k == "None", k)))


def _kind(value: Value) -> str:
    if isinstance(value, Class):
        return value.annotation
    if isinstance(value, tuple):
        return f"tuple[{' | '.join(sorted(set(map(_kind, value))))}, ...]"
    return "None" if value is None else type(value).__name__
