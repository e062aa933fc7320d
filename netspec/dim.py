"""Sizes known only at run time: exact arithmetic on unknowns. Knows nothing of tensors or ops."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import gcd
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeAlias

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

    # A shape rule is written once, for sizes of both kinds, so a checker of types may take a `Dim`
    # for an `int`. It never is one: what needs its number raises `UnknownSize`.
    _Number = int
else:
    _Number = object

MAX_TERMS = 256
MAX_DEGREE = 16
MAX_COEFFICIENT = 2**80
MAX_TEXT = 4000
"""Bounds of one expression, far beyond what any network needs."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*|_[1-9][0-9]*")
"""What an unknown may be called; `_1`, `_2` are those that the spec gave no name."""


class UnknownSize(Exception):
    """A number was needed where there is only a size known at run time."""

    def __init__(self, size: str, reason: str | None = None) -> None:
        super().__init__(reason or f"the size `{size}` is known only at run time")
        self.size = size


class _Quotient(NamedTuple):
    """`dividend // divisor`, in lowest terms."""

    dividend: Dim
    divisor: int

    def __str__(self) -> str:
        text = str(self.dividend)
        return f"{text if text.isidentifier() else f'({text})'}//{self.divisor}"


_Atom: TypeAlias = "str | _Quotient"
_Monomial: TypeAlias = tuple[_Atom, ...]
_Terms: TypeAlias = Mapping[_Monomial, int]


class Dim(_Number):
    """A size that is an expression in named unknowns, each of them 1 or more: `T`, `(T + 1)//2`, `4*H*W`.

    Immutable, and a sum of products in one canonical form, so sizes that shape rules reach on
    different ways compare equal. Its text is its JSON form. It takes part in `+ - * // %`; where the
    unknowns cancel out the result is an `int`. Everything that needs its number raises `UnknownSize`.
    """

    _terms: _Terms
    _text: str

    @staticmethod
    def unknown(name: str) -> Dim:
        """The unknown of that name."""
        assert NAME.fullmatch(name), name
        made = _sum({(name,): 1})
        assert isinstance(made, Dim)
        return made

    @staticmethod
    def parse(text: str) -> int:
        """The size that `str` wrote; raises `ValueError` for what is none."""
        import ast  # slow to import, and only read where a graph is read back

        def value(node: ast.expr) -> int:
            match node:
                case ast.Constant(value=int(number)) if type(number) is int:
                    return number
                case ast.Name(id=name) if NAME.fullmatch(name):
                    return Dim.unknown(name)
                case ast.UnaryOp(op=ast.USub(), operand=operand):
                    return -value(operand)
                case ast.BinOp(left=left, op=ast.Add(), right=right):
                    return value(left) + value(right)
                case ast.BinOp(left=left, op=ast.Sub(), right=right):
                    return value(left) - value(right)
                case ast.BinOp(left=left, op=ast.Mult(), right=right):
                    return value(left) * value(right)
                case ast.BinOp(left=left, op=ast.FloorDiv(), right=ast.Constant() as by):
                    return value(left) // value(by)
            raise ValueError

        try:
            if len(text) > MAX_TEXT:
                raise ValueError
            return value(ast.parse(text, mode="eval").body)
        except (ValueError, SyntaxError, ArithmeticError, RecursionError, MemoryError, UnknownSize):
            raise ValueError(f"{text[:80]!r} is not a size") from None

    @property
    def unknowns(self) -> frozenset[str]:
        """The names of the unknowns in it."""
        found: set[str] = set()
        for monomial in self._terms:
            for atom in monomial:
                found |= {atom} if isinstance(atom, str) else atom.dividend.unknowns
        return frozenset(found)

    @property
    def affine(self) -> tuple[str, int, int] | None:
        """(name, a, b) where it is `a * name + b` with a positive `a`, else None."""
        linear = [(monomial, c) for monomial, c in self._terms.items() if monomial]
        ((monomial, factor), *others) = linear
        if others or len(monomial) > 1 or not isinstance(monomial[0], str) or factor < 1:
            return None
        return monomial[0], factor, self._terms.get((), 0)

    def bind(self, values: Mapping[str, int]) -> int:
        """The size with some of its unknowns known."""
        total = 0
        for monomial, coefficient in self._terms.items():
            product = coefficient
            for atom in monomial:
                if isinstance(atom, str):
                    product = product * values[atom] if atom in values else product * _atom(atom)
                else:
                    product = product * (atom.dividend.bind(values) // atom.divisor)
            total = total + product
        return total

    # ---- what it can do ----

    def __add__(self, other: int) -> int:
        return _sum(self._terms, _terms(other)) if self._takes(other) else NotImplemented

    def __sub__(self, other: int) -> int:
        return self + -other if self._takes(other) else NotImplemented

    def __rsub__(self, other: int) -> int:
        return -self + other if self._takes(other) else NotImplemented

    def __mul__(self, other: int) -> int:
        return _product(self._terms, _terms(other)) if self._takes(other) else NotImplemented

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> int:
        return self * -1

    def __pos__(self) -> int:
        return self

    def __floordiv__(self, other: int) -> int:
        if not self._takes(other):
            return NotImplemented
        if isinstance(other, Dim):
            return _exact_quotient(self, other)
        if other == 0:
            raise ZeroDivisionError("division by zero")
        return _quotient(self._terms, other) if other > 0 else _quotient((-self)._terms, -other)  # type: ignore[attr-defined]

    def __mod__(self, other: int) -> int:
        return self - self // other * other if self._takes(other) else NotImplemented

    def _takes(self, other: object) -> bool:
        """Whether it computes with another value; what a fraction makes of it is no size."""
        if isinstance(other, float):
            self._refuse()
        return type(other) is int or isinstance(other, Dim)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dim) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return self._text

    def __format__(self, _specification: str) -> str:
        return self._text

    def __reduce__(self) -> tuple[Any, ...]:
        return Dim.parse, (self._text,)

    # ---- what would need its number ----

    def _refuse(self, *_: object) -> NoReturn:
        raise UnknownSize(self._text)

    __bool__ = __int__ = __index__ = __float__ = __trunc__ = __floor__ = __ceil__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = __abs__ = __round__ = __divmod__ = __rdivmod__ = _refuse
    __truediv__ = __rtruediv__ = __rfloordiv__ = __rmod__ = __pow__ = __rpow__ = _refuse

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        from pydantic_core import core_schema

        words = core_schema.str_schema(max_length=MAX_TEXT)
        instance = core_schema.is_instance_schema(cls)
        return core_schema.json_or_python_schema(
            json_schema=core_schema.chain_schema(
                [words, core_schema.no_info_plain_validator_function(cls.parse), instance]
            ),
            python_schema=instance,
            serialization=core_schema.plain_serializer_function_ser_schema(
                str, return_schema=core_schema.str_schema(), when_used="json"
            ),
        )


Size: TypeAlias = int | Dim
"""The size of an axis: a number, or an expression in sizes known only at run time."""


class Unknowns:
    """Gives the unknowns of one network: `?T` is the same one everywhere, every `?` is one of its own."""

    def __init__(self) -> None:
        self._nameless = 0

    def size(self, word: str) -> Dim | None:
        """What `?` or `?T` stands for; None where the name is none."""
        if word == "?":
            self._nameless += 1
            return Dim.unknown(f"_{self._nameless}")
        named = word[:1] == "?" and NAME.fullmatch(word, 1) and word[1] != "_"
        return Dim.unknown(word[1:]) if named else None

    def read(self, value: object) -> object:
        """The size that such a word stands for; anything else as it is."""
        size = self.size(value) if isinstance(value, str) else None
        return value if size is None else size


def below(size: int, bound: int) -> bool:
    """Whether a size is surely below a bound: of a size known only at run time that is never said.

    For checks that refuse what cannot be. They run again with the numbers once those are known.
    """
    return not isinstance(size, Dim) and not isinstance(bound, Dim) and size < bound


def unknowns(value: object) -> frozenset[str]:
    """The names of all unknowns in a size, or in tuples that hold some."""
    if isinstance(value, Dim):
        return value.unknowns
    return frozenset[str]().union(*map(unknowns, value)) if type(value) is tuple else frozenset()


def bind(value: Any, values: Mapping[str, int]) -> Any:
    """A size, or tuples that hold some, with the unknowns known that `values` has."""
    if isinstance(value, Dim):
        return value.bind(values)
    return tuple([bind(each, values) for each in value]) if type(value) is tuple else value


def written(value: object) -> object:
    """A value with all sizes in it as text, for records that are read and not computed with."""
    if isinstance(value, Dim):
        return str(value)
    return tuple([written(each) for each in value]) if type(value) is tuple else value


# ---- sums of products ----


def _terms(size: int) -> _Terms:
    return size._terms if isinstance(size, Dim) else {(): size}


def _key(monomial: _Monomial) -> tuple[int, tuple[str, ...]]:
    """The order of the terms: those of the highest degree first, the constant last."""
    return -len(monomial), tuple(map(str, monomial))


def _sum(*parts: _Terms) -> int:
    """The sum in canonical form: an `int` where no unknown is left."""
    total: dict[_Monomial, int] = {}
    for part in parts:
        for monomial, coefficient in part.items():
            total[monomial] = total.get(monomial, 0) + coefficient
    kept = {monomial: total[monomial] for monomial in sorted(total, key=_key) if total[monomial]}
    if kept.keys() <= {()}:
        return kept.get((), 0)
    made = object.__new__(Dim)
    made._terms = kept
    made._text = _write(kept)
    too_large = max(map(abs, kept.values())) > MAX_COEFFICIENT or len(made._text) > MAX_TEXT
    if len(kept) > MAX_TERMS or max(map(len, kept)) > MAX_DEGREE or too_large:
        names = ", ".join(sorted(made.unknowns))
        raise UnknownSize(names, f"a size made of `{names}` is too long a formula")
    return made


def _product(left: _Terms, right: _Terms) -> int:
    return _sum(
        *(
            {tuple(sorted((*m, *n), key=str)): a * b}
            for m, a in left.items()
            for n, b in right.items()
        )
    )


def _atom(atom: _Atom) -> int:
    return _sum({(atom,): 1})


def _quotient(terms: _Terms, divisor: int) -> int:
    """The floor of a sum over a positive number: whole parts in front, the rest in lowest terms."""
    constant = terms.get((), 0)
    whole = constant // divisor
    rest: dict[_Monomial, int] = {}
    for monomial, coefficient in terms.items():
        if monomial:
            times = abs(coefficient) // divisor * (1 if coefficient > 0 else -1)
            whole = whole + _sum({monomial: times})
            rest[monomial] = coefficient - times * divisor
    rest = {monomial: coefficient for monomial, coefficient in rest.items() if coefficient}
    if not rest:
        return whole
    constant %= divisor
    if rest[min(rest, key=_key)] < 0:  # the floor of -x is minus the ceiling of x
        negated = {monomial: -coefficient for monomial, coefficient in rest.items()}
        return whole - _quotient({**negated, (): divisor - 1 - constant}, divisor)
    inner = [
        monomial[0]
        for monomial, coefficient in rest.items()
        if coefficient == 1 and len(monomial) == 1 and isinstance(monomial[0], _Quotient)
    ]
    if len(inner) == 1:  # (x // a + n) // b is (x + a n) // (a b)
        (quotient,) = inner
        del rest[(quotient,)]
        beside = _sum(rest, {(): constant}) * quotient.divisor
        return whole + (quotient.dividend + beside) // (quotient.divisor * divisor)
    common = gcd(divisor, *rest.values())
    if common > 1:
        rest = {monomial: coefficient // common for monomial, coefficient in rest.items()}
        return whole + _quotient({**rest, (): constant // common}, divisor // common)
    dividend = _sum(rest, {(): constant})
    assert isinstance(dividend, Dim)
    return whole + _atom(_Quotient(dividend, divisor))


def _exact_quotient(dividend: Dim, divisor: Dim) -> int:
    """`a * b // b`; of what is not a multiple nothing is known."""
    ((unit, factor), *others) = divisor._terms.items()
    found: dict[_Monomial, int] = {}
    for monomial, coefficient in dividend._terms.items():
        left = list(monomial)
        for atom in unit:
            if atom not in left:
                raise UnknownSize(str(divisor))
            left.remove(atom)
        if others or coefficient % factor:
            raise UnknownSize(str(divisor))
        found[tuple(left)] = coefficient // factor
    return _sum(found)


def _write(terms: _Terms) -> str:
    """The text of a sum, what is subtracted last: `2*(T//2) + 1`, `5 - T`."""
    ordered = sorted(terms.items(), key=lambda term: (term[1] < 0, *_key(term[0])))
    text = ""
    for monomial, coefficient in ordered:
        factors = [str(abs(coefficient))] if abs(coefficient) > 1 or not monomial else []
        atoms = [str(atom) for atom in monomial]
        bare = len(factors) + len(atoms) == 1 and (coefficient > 0 or text)
        factors += [atom if bare or atom.isidentifier() else f"({atom})" for atom in atoms]
        sign, product = "-" if coefficient < 0 else "+", "*".join(factors)
        text = f"{text} {sign} {product}" if text else product if sign == "+" else f"-{product}"
    return text
