"""What `tune` chooses from: a range or a list for each parameter of a net. Trains nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from netspec.diagnostics import Diagnostic, SpecError
from netspec.language.nets import parse_override


class Choice(NamedTuple):
    """A parameter and its values: from `low` to `high` where `values` is empty, else one of these."""

    name: str
    low: float = 0
    high: float = 0
    whole: bool = False
    logarithmic: bool = False
    values: tuple[Any, ...] = ()

    @property
    def ends(self) -> tuple[Any, ...]:
        """Every value of a list, or both ends of a range."""
        return self.values or tuple(int(x) if self.whole else x for x in (self.low, self.high))

    def suggest(self, trial: Any) -> Any:
        """A value, by an Optuna trial."""
        if self.values:
            return self.values[trial.suggest_categorical(self.name, range(len(self.values)))]
        if self.whole:
            return trial.suggest_int(self.name, *self.ends, log=self.logarithmic)
        return trial.suggest_float(self.name, self.low, self.high, log=self.logarithmic)

    def __str__(self) -> str:
        if self.values:
            return f"{self.name}={','.join(map(str, self.values))}"
        suffix = ":log" if self.logarithmic else ""
        return f"{self.name}={self.low:g}:{self.high:g}{suffix}"


def read_choices(texts: Sequence[str]) -> list[Choice]:
    """`rate=0.1:0.5`, `width=16:64`, `lr=1e-4:1e-1:log`, `act=relu,gelu`. Raises `SpecError`."""
    choices = [_read(text) for text in texts]
    names = [choice.name for choice in choices]
    if twice := {name for name in names if names.count(name) > 1}:
        raise _bad(f"`{min(twice)}` is given twice")
    return choices


def _read(text: str) -> Choice:
    name, _, written = text.partition("=")
    name = name.strip()
    low, *rest = written.split(":")
    if not name.isidentifier() or not written.strip():
        raise _bad(f"`{text}` names no parameter with its values")
    if not rest:
        values = tuple(parse_override(f"{name}={part}")[1] for part in _parts(written))
        if len(values) < 2:
            raise _bad(f"`{text}` leaves nothing to choose")
        return Choice(name, values=values)
    high, *scale = rest
    if scale not in ([], ["log"]):
        raise _bad(f"`{text}` is no range")
    try:
        ends = float(low), float(high)
    except ValueError:
        raise _bad(f"`{text}` is a range of what are no numbers") from None
    if not ends[0] < ends[1] < float("inf") or (scale and ends[0] <= 0):
        raise _bad(f"`{text}` is no range: it goes from less to more{', above 0' if scale else ''}")
    whole = all(end.strip().lstrip("-").isdigit() for end in (low, high))
    return Choice(name, *ends, whole=whole, logarithmic=bool(scale))


def _parts(written: str) -> list[str]:
    """What stands between the commas that no bracket encloses."""
    parts, depth = [""], 0
    for letter in written:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _bad(message: str) -> SpecError:
    help_ = "a range is `rate=0.1:0.5`, a list is `width=16,32,64`"
    return SpecError(Diagnostic("bad-choice", message, help=help_))
