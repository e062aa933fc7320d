"""What scripts that train have in common: constants, and the rate of each step. Knows no framework."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netspec.training.task import Task

_FACTOR = '''

def factor(step):
    """The part of the learning rate at a step, from 0."""
{warmup}    return {part}
'''


def constants(task: Task) -> str:
    """The numbers at the top, a line each; and the names of the inputs, where there are several."""
    recipe = task.recipe
    found = [f"EPOCHS = {recipe.epochs}", f"BATCH = {recipe.batch}", f"SEED = {recipe.seed}"]
    if len(task.graph.inputs) > 1:
        names = [f'"{node.name}"' for node in task.graph.inputs]
        found.append(listed("INPUTS", names, "()"))
    if recipe.early_stopping is not None:
        found.append(f"PATIENCE = {max(recipe.early_stopping, 1)}")
    if not recipe.is_constant:
        found.append(f"STEPS = {task.order.steps}  # of an epoch")
    if recipe.warmup:
        found.append(f"WARMUP = {round(recipe.warmup * task.order.steps)}  # steps")
    return "".join(f"{line}\n" for line in found)


def listed(
    name: str, values: Sequence[str], brackets: str, around: str = "", more: str = ""
) -> str:
    """`NAME = call([a, b], more)` as the formatters lay it out. `around` is the call, if there is one."""
    first, last = brackets[0], brackets[1]
    inner = f"{first}{', '.join(values)}{last}"
    line = (
        f"{name} = {around}({inner}{f', {more}' if more else ''})"
        if around
        else f"{name} = {inner}"
    )
    if len(line) <= 88:
        return line
    if not around:
        return f"{name} = {first}\n{_rows(values, 4)}{last}"
    if not more:
        return f"{name} = {around}(\n    {first}\n{_rows(values, 8)}    {last}\n)"
    return f"{name} = {around}(\n    {first}\n{_rows(values, 8)}    {last},\n    {more},\n)"


def _rows(values: Sequence[str], indent: int) -> str:
    return "".join(f"{' ' * indent}{value},\n" for value in values)


def factor(task: Task) -> str:
    """The function that scales the learning rate; nothing where it is constant."""
    recipe, warmup, done = task.recipe, "", "step / (EPOCHS * STEPS)"
    if recipe.is_constant:
        return ""
    if recipe.warmup:
        warmup = "    if step < WARMUP:\n        return (step + 1) / (WARMUP + 1)\n"
        done = "(step - WARMUP) / (EPOCHS * STEPS - WARMUP)"
    part = {
        "cosine": f"(1 + math.cos(math.pi * {done})) / 2",
        "linear": f"1 - {done}",
        "step": f"{number(recipe.gamma)} ** (step // STEPS // {recipe.step_epochs})",
        "constant": "1.0",
    }[recipe.schedule]
    return _FACTOR.format(warmup=warmup, part=part)


def imports(modules: dict[str, bool]) -> str:
    """A line for each module of the standard library that is used."""
    return "".join(f"import {name}\n" for name, used in modules.items() if used)


def number(value: float) -> str:
    """As short as it can be, and to the last digit."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)
