"""Sizes known only at run time: their arithmetic is exact, their form canonical, and none of them is a number."""

from __future__ import annotations

import math
import operator
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netspec.dim import MAX_TEXT, Dim, Unknowns, UnknownSize, below, bind, unknowns, written

H, T, W = Dim.unknown("H"), Dim.unknown("T"), Dim.unknown("W")

VALUES = ({"H": 1, "T": 2, "W": 3}, {"H": 13, "T": 4, "W": 9}, {"H": 1, "T": 1, "W": 1})

STEPS = {
    "+": operator.add,
    "-": operator.sub,
    "r-": lambda a, b: b - a,
    "*": operator.mul,
    "//": operator.floordiv,
    "%": operator.mod,
}

formulas = st.recursive(
    st.sampled_from("HTW") | st.integers(-9, 9),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["+", "-", "r-", "*"]), inner, inner),
        st.tuples(st.sampled_from(["//", "%"]), inner, st.integers(-7, 7).filter(bool)),
    ),
    max_leaves=8,
)


def value(formula, names):
    if isinstance(formula, tuple):
        sign, left, right = formula
        return STEPS[sign](value(left, names), value(right, names))
    return names[formula] if isinstance(formula, str) else formula


@pytest.mark.parametrize("sign", STEPS)
def test_a_fraction_of_a_size_is_no_size(sign):
    for pair in ((T, 0.5), (0.5, T)):
        with pytest.raises(UnknownSize):
            STEPS[sign](*pair)


@settings(max_examples=300, deadline=None)
@given(formulas)
def test_a_formula_is_what_it_gives_for_every_size(formula):
    size = value(formula, {"H": H, "T": T, "W": W})
    for values in VALUES:
        assert bind(size, values) == value(formula, values)
    some = {"T": 5}
    assert bind(bind(size, some), {"H": 2, "W": 3}) == value(formula, {"H": 2, "W": 3, **some})


@settings(max_examples=300, deadline=None)
@given(formulas)
def test_the_text_is_read_back(formula):
    size = value(formula, {"H": H, "T": T, "W": W})
    assert Dim.parse(str(size)) == size
    assert pickle.loads(pickle.dumps(size)) == size
    assert hash(Dim.parse(str(size))) == hash(size)


@pytest.mark.parametrize(
    ("one", "other", "text"),
    [
        ((T + 2 - 3) // 1 + 1, T, "T"),
        ((T + 2 - 3) // 2 + 1, (T - 1) // 2 + 1, "(T + 1)//2"),
        (-(-T // 2), (T + 1) // 2, "(T + 1)//2"),
        (((T + 1) // 2 + 1) // 2, (T + 3) // 4, "(T + 3)//4"),
        ((T // 2 - 2) // 3, (T - 4) // 6, "(T + 2)//6 - 1"),
        ((4 * T + 2) // 4, (8 * T) // 8, "T"),
        ((2 * T + 1) // 4, T // 2, "T//2"),
        (3 * H * W, W * 3 * H, "3*H*W"),
        ((H * W + H) // H, W + 1, "W + 1"),
        (T + T, 2 * T, "2*T"),
        (T % 2 * 2, 2 * T - 4 * (T // 2), "2*T - 4*(T//2)"),
        (5 - T, -(T - 5), "5 - T"),
        ((T // 2) * 2 + 1, 1 + 2 * (T // 2), "2*(T//2) + 1"),
        (-((T + 1) // 3), -T + T - (T + 1) // 3, "-((T + 1)//3)"),
        (sum([T, H, 3]), math.prod([1, T]) + H + 3, "H + T + 3"),
    ],
)
def test_equal_sizes_are_equal(one, other, text):
    assert one == other
    assert str(one) == repr(one) == f"{one}" == text


@pytest.mark.parametrize(
    ("size", "number"), [(T - T, 0), (0 * T, 0), (4 * T % 2, 0), ((T + 3) - T, 3), (T * 3 // T, 3)]
)
def test_where_the_unknowns_cancel_it_is_a_number(size, number):
    assert type(size) is int
    assert size == number


def test_different_sizes_are_different():
    assert len({T, H, T + 1, 2 * T, T // 2, 3}) == 6
    assert T != 3
    assert H * W != H + W


NUMBERS = {
    "int": int,
    "bool": bool,
    "float": float,
    "index": operator.index,
    "round": round,
    "abs": abs,
    "range": range,
    "divmod": lambda size: divmod(size, 2),
    "less": lambda size: size < 3,
    "more": lambda size: size > 3,
    "max": lambda size: max(size, 3),
    "share": lambda size: size / 2,
    "power": lambda size: 2**size,
    "square": lambda size: size**2,
    "repeated": lambda size: [0] * size,
    "into": lambda size: 12 // size,
    "rest": lambda size: 12 % size,
    "no multiple": lambda size: (size + 1) // size,
}


@pytest.mark.parametrize("use", NUMBERS)
def test_a_size_is_no_number(use):
    with pytest.raises(UnknownSize, match="the size `T` is known only at run time"):
        NUMBERS[use](T)


def test_a_formula_beyond_bounds_is_refused():
    with pytest.raises(UnknownSize, match="a size made of `H, W` is too long a formula"):
        math.prod([H + W] * 20)
    with pytest.raises(UnknownSize, match="too long"):
        _ = T * 10**30


@pytest.mark.parametrize(
    "text",
    [
        *("", "T +", "T / 2", "T ** 2", "T // 0", "T // H", "f(T)", "T.x", "1.5", "True", "__T"),
        *("T; T", "(" * 300 + "T" + ")" * 300, "T + " * MAX_TEXT, "-" * 3000 + "T"),
    ],
)
def test_what_is_no_size_is_not_read(text):
    with pytest.raises(ValueError, match="is not a size"):
        Dim.parse(text)


def test_unknowns_have_names():
    given_names = Unknowns()
    assert [str(given_names.read(word)) for word in ("?", "?T", "?", 3)] == ["_1", "T", "_2", "3"]
    assert [given_names.size(word) for word in ("T", "?_1", "?1", "?a b", "", "?é")] == [None] * 6


def test_what_is_sure_is_below():
    assert below(2, 3)
    assert not below(3, 3)
    assert not below(T, 3)
    assert not below(3, T)


def test_tuples_are_looked_into():
    assert unknowns((1, (T, H // 2), "W")) == {"T", "H"}
    assert bind((1, (T, H)), {"T": 4}) == (1, (4, H))
    assert written((1, (T // 2,))) == (1, ("T//2",))


def test_a_linear_size_says_how_it_is_solved():
    assert (3 * T - 2).affine == ("T", 3, -2)
    assert [size.affine for size in (-T, T // 2, H * W, H + W, T * T)] == [None] * 5
