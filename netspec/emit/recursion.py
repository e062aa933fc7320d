"""Blocks that contain themselves: which instances may be one definition that calls itself, and what it gives itself.

Knows parts, constants in columns and parameters; nothing of any framework.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netspec.emit.constants import ABSENT
from netspec.emit.outline import Part
from netspec.emit.parameters import Column, Known, Parameters
from netspec.emit.sketch import Sketch
from netspec.emit.source import Call, Code, Expr, Option, flat

ITSELF = Code("<itself>")
INNERMOST = Code("<innermost>")
"""They stand for the calls inside of a definition that calls itself, until their arguments are known."""


def towers(root: Part) -> dict[str, int]:
    """How many instances of its block stand within each instance that holds one, by path.

    An instance holds another directly, and only one. Blocks of which any instance holds others in another way are
    left out: what such an instance calls would have to be known before itself.
    """
    heights: dict[str, int] = {}
    blocks: dict[str, str] = {}
    tangled: set[str] = set()

    def visit(part: Part, around: Mapping[str, Part], outer: Part | None) -> None:
        if part.block is not None:
            if around.get(part.block, outer) is not outer:
                tangled.add(part.block)
            blocks[part.path] = part.block
            around = {**around, part.block: part}
        for each in part.items:
            if isinstance(each, Part):
                visit(each, around, part)
        same = _same(part)
        if len(same) > 1 or any(each.owner or part.stage_of is not None for each in same):
            tangled.add(blocks[part.path])
        elif same:
            heights[part.path] = 1 + heights.get(same[0].path, 0)

    visit(root, {}, None)
    return {path: height for path, height in heights.items() if blocks[path] not in tangled}


def _same(part: Part) -> list[Part]:
    """The parts of the same block directly within one."""
    if part.block is None:
        return []
    return [each for each in part.items if isinstance(each, Part) and each.block == part.block]


def inner_of(part: Part) -> Part:
    """The instance that one of a tower holds."""
    (inner,) = _same(part)
    return inner


def open_sketch(*, innermost: bool) -> Sketch:
    """The call of the inner instance, which is of another definition where it is the innermost."""
    return Sketch((Option(INNERMOST, innermost, ITSELF),))


def is_flagged(sketches: Mapping[str, Sketch], parameters: Parameters) -> bool:
    """Whether a parameter says of each instance whether the one within it is the innermost, and nothing else."""
    choice = sketches[_opened(sketches)].calls[0]
    assert isinstance(choice, Option)
    column = parameters.columns().get(flat(choice.condition), ())
    return {*map(type, column)} == {bool}


def close(sketches: dict[str, Sketch], innermost: Call, itself: Call) -> None:
    """Put both choices of the inner instance into the open sketch."""
    local = _opened(sketches)
    (choice,) = sketches[local].calls
    assert isinstance(choice, Option)
    sketches[local] = Sketch((Option(innermost, choice.condition, itself),))


def _opened(sketches: Mapping[str, Sketch]) -> str:
    return next(
        local
        for local, sketch in sketches.items()
        if any(isinstance(each, Option) and each.otherwise == ITSELF for each in sketch.calls)
    )


def inner_arguments(
    parts: Sequence[Part], parameters: Parameters, innermost: Sequence[Mapping[str, Expr]]
) -> dict[str, Expr] | None:
    """What an instance gives the one within it, in terms of its own parameters, or None where these do not tell it.

    `innermost` are the arguments of what each part holds, none where that is one of the parts. Parameters that only
    the inner ones need come to `parameters`.
    """
    places = {part.path: i for i, part in enumerate(parts)}
    inner = [places.get(inner_of(part).path) for part in parts]
    wanted = dict.fromkeys(name for given in innermost for name in given)

    def column(name: str, known: Known | None) -> Column:
        values = []
        for place, given in zip(inner, innermost, strict=True):
            own = ABSENT if place is None or known is None else known[place]
            values.append(given.get(name, ABSENT) if place is None else own)
        return tuple(values)  # type: ignore[arg-type]

    found: dict[str, Expr] = {}
    while missing := [n for n in {**parameters.columns(), **wanted} if n not in found]:
        for name in missing:
            word = parameters.inner_word(name, column(name, parameters.columns().get(name)))
            if word is None:
                return None
            found[name] = word
    return found
