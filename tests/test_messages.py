"""What the language says to those who bring habits from elsewhere: the help of a mistake."""

from __future__ import annotations

import pytest

import netspec
from netspec.diagnostics import SpecError


@pytest.mark.parametrize(
    ("text", "help_"),
    [
        ("input 8\nReLU", "did you mean `relu`?"),
        ("input 3 8 8\nBatchNorm2d", "did you mean `batch_norm`?"),
        ("input 8\ndense 3 bias=False", "did you mean `false`?"),
        ("input 3 8 8\nconv 8 3 padding=smae", "did you mean `same`?"),
        ("input 3, 8, 8", "arguments are separated by blanks: `conv 32 3 stride=2`"),
        ("input 8\nfor i in 3 { relu }", "`range(3)` is a list of so many numbers"),
        ("input 8\nrepeat 3 relu", "the steps of a body stand in braces: `{ conv 32 3 -> relu }`"),
        ("input 8\n@x = relu\nadd @x", "tensors enter through branches: `add { @ | @x }`"),
        (
            "input 8\nrelu -> @x",
            "`@x = ...` names what a pipeline gives, and `@x -> ...` begins one",
        ),
        ("input 8\nif c == 8 { relu }", "`@.c` is the current tensor's channels"),
        ("input 8\n// what follows\nrelu", "a comment begins with `#`"),
    ],
)
def test_habits_of_other_languages_are_met_with_help(text: str, help_: str) -> None:
    with pytest.raises(SpecError) as caught:
        netspec.parse(text)
    assert caught.value.diagnostics[0].help == help_
