"""Random programs, written by the grammar: every construct, in every spelling that parses. Knows no meanings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

NAMES = ["a", "b2", "c", "depth", "conv", "maxpool", "linear", "bn", "pool", "unit"]
OPS = ["conv", "maxpool", "max_pool", "pool", "linear", "bn", "relu", "unit", "add", "c"]
NUMBERS = ["0", "3", "64", "0.5", "1e-3", "2.5E+4", "1x7", "3x3x3"]
WORDS = [
    "true",
    "false",
    "none",
    '"b c h w -> b (h w) c"',
    '"# no comment"',
    "?",
    "?T",
    "@",
    "@skip",
]
LABELS = [
    "stem",
    "downsample.0",
    "0",
    "layer{i+1}",
    "a{ i }.b{(i // 2)}_c",
    'x{names[ i ] if i>0 else "#"}',
]
LEVELS = [["or"], ["and"], ["==", "!=", "<", ">", "<=", ">="], ["+", "-"], ["*", "/", "//", "%"]]
BLANKS = ["", "", " ", "  ", "\t"]
LINES = [" ", "\n", "\n\n\n", "  # aside\n", "\n# alone\n", "\n\n  # parted\n\n\n# twice\n", "\r\n"]


class _Program:
    """One program: draws decide, `room` bounds how deep constructs stand within one another."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self.draw = draw

    # ---- choices ----

    def pick(self, options: list[Any]) -> Any:
        return self.draw(st.sampled_from(options))

    def call(self, options: list[Callable[..., str]], *arguments: Any) -> str:
        """The text of one of several constructs."""
        return self.pick(options)(*arguments)

    def number(self, least: int, most: int) -> int:
        return self.draw(st.integers(least, most))

    def several(self, write: Callable[[int], str], room: int, least: int, most: int) -> list[str]:
        return [write(room) for _ in range(self.number(least, most))]

    def maybe(self, text: str) -> str:
        return self.pick(["", text])

    def blank(self) -> str:
        return self.pick(BLANKS)

    def line(self) -> str:
        """What may stand where a line may end."""
        return self.pick(["", *LINES])

    def name(self) -> str:
        return self.pick(NAMES)

    def commas(self, texts: list[str], gap: Callable[[], str]) -> str:
        return "".join(f"{',' if index else ''}{gap()}{text}" for index, text in enumerate(texts))

    # ---- expressions ----

    def atom(self, room: int) -> str:
        if room <= 0:
            return self.pick([*NUMBERS, *WORDS, *NAMES])
        return self.call(
            [self.atom0, self.list, self.tuple, self.comprehension, self.function, self.brackets],
            room - 1,
        )

    def atom0(self, _: int) -> str:
        return self.atom(0)

    def list(self, room: int) -> str:
        items = self.several(self.expression, room, 0, 3)
        last = self.maybe(",") if items else ""
        return f"[{self.commas(items, self.line)}{self.line()}{last}{self.line()}]"

    def tuple(self, room: int) -> str:
        items = self.several(self.expression, room, 0, 3)
        last = "," if len(items) == 1 else self.maybe(",") if items else ""
        return f"({self.commas(items, self.line)}{self.line()}{last}{self.line()})"

    def function(self, room: int) -> str:
        items = self.several(self.expression, room, 0, 3)
        last = self.maybe(",") if items else ""
        return f"{self.name()}({self.commas(items, self.line)}{last}{self.line()})"

    def comprehension(self, room: int) -> str:
        condition = self.maybe(f" if{self.pick(LINES)}{self.operation(room)}")
        targets = self.targets(room)
        words = [self.expression(room), "for", targets, "in", self.operation(room) + condition]
        return f"[{self.line()}{''.join(word + self.pick(LINES) for word in words)}]"

    def brackets(self, room: int) -> str:
        return f"({self.line()}{self.expression(room)}{self.line()})"

    def postfix(self, room: int) -> str:
        text = self.atom(room)
        for _ in range(self.number(0, 2) if room > 0 else 0):
            blank = " " if text in NUMBERS else self.maybe(" ")  # `1.c` is no number
            text += self.pick([f"{blank}.c", f"[{self.expression(room - 1)}]"])
        return text

    def bare(self, room: int) -> str:
        """What an argument takes without parentheses."""
        sign = self.pick(["", "", "-", "--"])
        text = sign + self.postfix(room)
        for _ in range(self.number(0, 2) if room > 0 else 0):
            operator = self.pick(["*", "/", "//", "%", "**"])
            text += f"{self.blank()}{operator}{self.blank()}{self.pick(['', '-'])}{self.postfix(room - 1)}"
        return text

    def operation(self, room: int, level: int = 0) -> str:
        """Operators from one level on, the loosest first."""
        if level == len(LEVELS):
            return self.pick(["", "", "-", "- "]) + self.postfix(room)
        text = self.operation(room, level + 1)
        for _ in range(self.pick([0, 0, 0, 0, 0, 1, 2]) if room > 0 else 0):
            text += f" {self.pick(LEVELS[level])} {self.operation(room - 1, level + 1)}"
        return f"not {text}" if level == 2 and self.pick([False] * 5 + [True]) else text

    def expression(self, room: int) -> str:
        if room <= 0 or self.pick([True, True, True, False]):
            return self.operation(room)
        parts = [self.operation(room - 1), self.operation(room - 1), self.expression(room - 1)]
        return "{} if {}{}else {}".format(*parts[:2], self.pick(LINES), parts[2])

    def targets(self, room: int) -> str:
        items = [
            f"({self.targets(room - 1)})"
            if room > 0 and self.pick([False, False, True])
            else self.name()
            for _ in range(self.number(1, 3))
        ]
        return self.commas(items, self.blank)

    # ---- steps ----

    def step(self, room: int) -> str:
        label = self.pick(["", "", f"{self.pick(LABELS)}:{self.line()}"])
        steps = (
            [self.invoke]
            if room <= 0
            else [self.invoke, self.invoke, self.group, self.if_, self.for_, self.repeat]
        )
        return label + self.call(steps, room - 1)

    def invoke(self, room: int) -> str:
        parts = [self.pick(OPS), *self.several(self.bare, room, 0, 2)]
        parts += [
            f"{self.name()}{self.blank()}={self.blank()}{value}"
            for value in self.several(self.bare, room, 0, 2)
        ]
        if room > 0 and self.pick([False, False, True]):
            branches = self.several(lambda room: self.statements(room) + self.line(), room, 1, 3)
            parts.append(f"{{{self.line()}{f'|{self.line()}'.join(branches)}}}")
        return " ".join(parts)

    def group(self, room: int) -> str:
        statements = self.statements(room)
        return f"{{{self.line()}{statements}{self.line()}}}"

    def if_(self, room: int) -> str:
        text = f"if {self.expression(room)} {self.group(room)}"
        for _ in range(self.number(0, 1)):
            text += f"{self.line()}else if {self.expression(room)} {self.group(room)}"
        return text + self.maybe(f"{self.line()}else {self.group(room)}")

    def for_(self, room: int) -> str:
        return f"for {self.targets(room)} in {self.expression(room)} {self.group(room)}"

    def repeat(self, room: int) -> str:
        return f"repeat {self.expression(room)}{self.blank()}{self.group(room)}"

    def pipeline(self, room: int) -> str:
        first = self.pick(["@", "@skip", "", ""]) or self.step(room)
        rest = self.several(self.step, room, 0, 3)
        return first + "".join(f"{self.line()}->{self.line()}{step}" for step in rest)

    # ---- statements and declarations ----

    def statement(self, room: int) -> str:
        return self.call(
            [
                self.pipeline,
                self.pipeline,
                self.let,
                self.assign,
                self.collect,
                self.out,
                self.share,
            ],
            room,
        )

    def let(self, room: int) -> str:
        return f"let {self.targets(1)}{self.blank()}={self.line()}{self.expression(room)}"

    def assign(self, room: int) -> str:
        return (
            f"@{self.name()}{self.maybe(', @b')}{self.blank()}={self.line()}{self.pipeline(room)}"
        )

    def collect(self, room: int) -> str:
        return f"@{self.name()}{self.blank()}+={self.line()}{self.pipeline(room)}"

    def out(self, room: int) -> str:
        return f"out {self.commas(self.several(self.result, room, 1, 3), self.blank)}"

    def result(self, room: int) -> str:
        pipeline = self.pipeline(room)
        name = self.maybe(f"{self.name()}{self.blank()}={self.blank()}")
        return name + self.pick([pipeline, f"({self.line()}{pipeline}{self.line()})"])

    def share(self, room: int) -> str:
        return f"share {self.name()} = {self.pipeline(room)}"

    def statements(self, room: int) -> str:
        return self.sequence([self.statement], room, 0, 2)

    def sequence(
        self, options: list[Callable[[int], str]], room: int, least: int, most: int
    ) -> str:
        items = self.several(lambda room: self.call(options, room), room, least, most)
        ends = [
            self.pick([";", "\n", " ; # ended\n", "\n\n\n", "  # ended\n", "\n# alone\n"])
            for _ in items
        ]
        return "".join(item + end for item, end in zip(items, ends, strict=True))

    def declaration(self, room: int) -> str:
        defaults = [
            f"{self.blank()}={self.blank()}{value}"
            for value in self.several(self.expression, room, 0, 3)
        ]
        parameters = [self.name() + self.maybe(default) for default in defaults]
        last = self.maybe(",") if parameters else ""
        brackets = f"{self.blank()}({self.commas(parameters, self.line)}{last}{self.line()})"
        return f"{self.pick(['block', 'net'])} {self.name()}{self.maybe(brackets)}{self.blank()}{self.group(room)}"

    def variant(self, room: int) -> str:
        values = self.several(self.bare, room, 0, 2)
        arguments = "".join(f" {self.name()}{self.blank()}={self.blank()}{v}" for v in values)
        return f"net {self.name()}{self.blank()}={self.blank()}{self.name()}{arguments}"

    def use(self, _: int) -> str:
        return 'use "blocks.net"'

    def file(self, room: int) -> str:
        rare = self.pick([[], [], [self.use], [self.variant]])
        return self.line() + self.sequence(
            [self.declaration, self.statement, self.statement, *rare], room, 0, 4
        )


@st.composite
def programs(draw: Callable[[st.SearchStrategy[Any]], Any], room: int = 2) -> str:
    """Texts that parse. They name ops and blocks that may not exist."""
    return _Program(draw).file(room)
