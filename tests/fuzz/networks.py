"""Random valid programs over all ops, grown step by step. Knows ops by their declarations and examples alone.

A step is tried behind what stands already, and stays if the program is still right: so whatever an op takes, at
whatever shape, is found by asking it, and an op that is declared tomorrow takes part.
"""

from __future__ import annotations

import random
import re

import netspec
from netspec.diagnostics import SpecError
from netspec.ir import Graph
from netspec.limits import DEFAULT
from netspec.ops import Example, Op, all_ops

LIMITS = DEFAULT._replace(parameters=200_000, activation_bytes=2_000_000, nodes=80, steps=50_000)
EXAMPLES: list[tuple[type[Op], Example]] = [
    (op, example) for op in all_ops() if op.kind != "input" for example in op.examples
]
_NUMBER = re.compile(r"(?<![\w.@])\d+(?![\w.])")


def graph_of(text: str) -> Graph:
    """The graph of a program. Raises `SpecError`."""
    return netspec.parse(text, name="fuzz.net", limits=LIMITS)


class Program:
    """A program that grows: declarations in front, then an input, then steps, then perhaps an `out`."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.blocks: list[str] = []
        self.lines = [self._input()]
        self.named: list[str] = []
        self.graph = graph_of(self.text())

    def text(self, *more: str, blocks: tuple[str, ...] = ()) -> str:
        """The program with more statements at its end."""
        return "\n".join([*self.blocks, *blocks, *self.lines, *more]) + "\n"

    def grow(self, steps: int) -> None:
        """Add so many statements, of those that were tried and are right."""
        for _ in range(steps):
            for _ in range(30):
                if self._attempt():
                    break

    def finish(self) -> str:
        """The whole program; named tensors that are left over become results now and then."""
        results = [
            f"r{i}=@{name}" for i, name in enumerate(self.named) if self.chance.random() < 0.3
        ]
        if results:
            ended = f"out {', '.join([*results, 'last=@'])}"
            if self._is_right(self.text(ended)):
                self.lines.append(ended)
        return self.text()

    # ---- one statement ----

    def _attempt(self) -> bool:
        number = len(self.lines)
        write = self.chance.choice(
            [self._plain] * 5
            + [self._labelled, self._named, self._repeated, self._looped, self._chosen]
            + [self._residual, self._merged, self._called, self._let, self._from_named]
        )
        name, line, block = write(number)
        blocks = () if block is None else (block,)
        if not self._is_right(self.text(line, blocks=blocks)):
            return False
        self.lines.append(line)
        self.blocks.extend(blocks)
        if name is not None:
            self.named.append(name)
        return True

    def _is_right(self, text: str) -> bool:
        try:
            self.graph = graph_of(text)
        except SpecError:
            return False
        return True

    def _plain(self, _: int) -> tuple[str | None, str, str | None]:
        return None, " -> ".join(self._step() for _ in range(self.chance.randint(1, 2))), None

    def _labelled(self, number: int) -> tuple[str | None, str, str | None]:
        label = self.chance.choice([f"l{number}", f"l{number}.0", f"l{{{number} + 1}}_x"])
        return None, f"{label}: {self.chance.choice([self._step(), f'{{ {self._step()} }}'])}", None

    def _named(self, number: int) -> tuple[str | None, str, str | None]:
        return f"n{number}", f"@n{number} = {self._step()}", None

    def _repeated(self, number: int) -> tuple[str | None, str, str | None]:
        label = self.chance.choice(["", f"l{number}: "])
        return None, f"{label}repeat {self.chance.randint(0, 3)} {{ {self._step()} }}", None

    def _looped(self, _: int) -> tuple[str | None, str, str | None]:
        return None, f"for c in [2, 4] {{ {self._with(self._step(), 'c')} }}", None

    def _chosen(self, _: int) -> tuple[str | None, str, str | None]:
        condition = self.chance.choice(["@.shape[0] > 3", "len(@.shape) == 3", "true"])
        return None, f"if {condition} {{ {self._step()} }} else {{ {self._step()} }}", None

    def _residual(self, _: int) -> tuple[str | None, str, str | None]:
        return None, f"residual {{ {self._step()} -> {self._step()} }}", None

    def _merged(self, _: int) -> tuple[str | None, str, str | None]:
        merges = sorted(op.kind for op in all_ops() if op.merges)
        tensors = self.chance.choices(["@", *(f"@{name}" for name in self.named)], k=2)
        branches = [f"{tensor} -> {self._step()}" for tensor in tensors]
        branches[0] = self.chance.choice([tensors[0], branches[0]])
        return None, f"{self.chance.choice(merges)} {{ {' | '.join(branches)} }}", None

    def _called(self, number: int) -> tuple[str | None, str, str | None]:
        block = f"block b{number}(k=3, act=relu) {{ {self._with(self._step(), 'k')} -> act }}"
        argument = self.chance.choice(["", "2", "k=4", "5 act=tanh"])
        times = self.chance.randint(1, 2)
        return None, " -> ".join([f"b{number} {argument}".strip()] * times), block

    def _let(self, number: int) -> tuple[str | None, str, str | None]:
        value = self.chance.choice(["2 + 1", "max(1, @.shape[0] // 2)", "[4, 2][1]"])
        return None, f"let v{number} = {value}\n{self._with(self._step(), f'v{number}')}", None

    def _from_named(self, _: int) -> tuple[str | None, str, str | None]:
        start = self.chance.choice(["@", *(f"@{name}" for name in self.named)])
        return None, f"{start} -> {self._step()}", None

    # ---- one step ----

    def _input(self) -> str:
        sizes = [self.chance.randint(2, 6)]
        rank = self.chance.choice([1, 2, 3, 3, 3, 4])
        sizes += [self.chance.randint(4, 9) for _ in range(rank - 1)]
        if self.chance.random() < 0.1:
            return f"input {sizes[0] + 2} dtype=int"
        return f"input {' '.join(map(str, sizes))}"

    def _step(self) -> str:
        """An op as some example calls it, or with other numbers; its branches read what there is."""
        _, example = self.chance.choice(EXAMPLES)
        line = example.line
        if self.chance.random() < 0.5:
            line = _NUMBER.sub(lambda _: str(self.chance.choice([0, 1, 2, 3, 4, 5, 8])), line)
        there = ["@", "@", *(f"@{name}" for name in self.named)]
        return re.sub(r"@[a-h]\b(?!\.)", lambda _: self.chance.choice(there), line)

    def _with(self, step: str, name: str) -> str:
        """The step with a variable for one of its numbers."""
        return _NUMBER.sub(name, step, count=1)


def random_program(seed: int, steps: int = 6) -> str:
    """A valid program, the same for the same seed and ops."""
    program = Program(random.Random(seed))
    program.grow(steps)
    return program.finish()


def shrink(text: str, fails: object) -> str:
    """The shortest program, of those without some of its lines, that still fails in the same way."""
    assert callable(fails)
    wanted, lines = fails(text), text.splitlines()
    for index in range(len(lines) - 1, -1, -1):
        fewer = "\n".join(lines[:index] + lines[index + 1 :]) + "\n"
        if wanted is not None and fails(fewer) == wanted:
            del lines[index]
    return "\n".join(lines) + "\n"
