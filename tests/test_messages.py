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
        ("input 8\nrelu => tanh", "an arrow is written `->`"),
        ("input 8\ndense 8 - > relu", "an arrow is written `->`"),
        ("input 3 8 8\nconv @.c+1 3", "write `(@.c + 1)`"),
        ("input 8\nif @.c = 8 { relu }", "`==` compares"),
        (
            "input 8\nif true { relu } tanh",
            "a statement begins on a line of its own or after `;`, the next step after `->`",
        ),
        (
            "input 8\nfor i in range 3 { relu }",
            "a function takes its arguments in brackets: `range(...)`",
        ),
        ("block f x { relu }", "parameters stand in brackets: `block unit(c, k=3) { ... }`"),
        ("input 3 8 8\nconv 4 3 padding='same'", 'a string is written `"same"`'),
        ("let a = true && false", "write `and`"),
        ("let a = 2 ^ 3", "a power is written `2**3`"),
        ("input 8\nreturn @", "the last step is the result, and `out name=@` names it"),
        ("input 8\nout @, @", "write `out first=@a, second=@b`"),
        ('input 8\ndense 3 activation="relu"', "an activation is a step of its own: `-> relu`"),
        ("input 8\ndense @.c/2", "`/` gives a fraction, `//` a whole number"),
        ("input 3 8 8\nlstm 8", "`tokens` makes a sequence of an image"),
        (
            'input 3 8 8\nrearrange "c h w -> w (c h)" -> lstm 8',
            "its axes are `w c`, and those of a sequence are `t c`: call them so in the pattern of `rearrange`",
        ),
        (
            'input 3 8 8\npermute "h w c" -> conv 8 3',
            "its axes are `h w c`, and those of an image are `c h w`: "
            '`permute "c h w"` brings them into that order',
        ),
        ("input 8 dtype=int\ndense 3", "`embed` makes a vector of each token"),
        (
            "input 8\n@v = dense 1\nmax { @ | @v }",
            "`-> expand c=8` at the end of branch 2 repeats it",
        ),
        ("block net { relu }\ninput 8\nnet", None),
        ("input 8\n// what follows\nrelu", "a comment begins with `#`"),
    ],
)
def test_habits_of_other_languages_are_met_with_help(text: str, help_: str) -> None:
    with pytest.raises(SpecError) as caught:
        netspec.parse(text)
    assert caught.value.diagnostics[0].help == help_


def test_a_fraction_that_is_whole_is_told_from_a_whole_number() -> None:
    with pytest.raises(SpecError, match=r"takes a whole number of rounds, not the number 4\.0"):
        netspec.parse("input 8\nrepeat 8/2 { relu }")
