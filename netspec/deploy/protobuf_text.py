"""Protocol Buffers' text format, written without a library. Knows no schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias


class Word(str):
    """A name of an enum, which stands without quotes."""


Value: TypeAlias = (
    "bool | int | float | str | Mapping[str, Value] | Sequence[int | str | Mapping[str, Value]]"
)


def to_text(message: Mapping[str, Value]) -> str:
    """A message, a field a line; lists of messages repeat their field, lists of numbers and words stand in brackets."""
    return "".join(f"{line}\n" for line in _lines(message, ""))


def _lines(message: Mapping[str, Value], indent: str) -> Iterator[str]:
    for name, value in message.items():
        if isinstance(value, Mapping):
            yield from _message(name, value, indent)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            for each in value:
                if isinstance(each, Mapping):
                    yield from _message(name, each, indent)
            scalars = [_scalar(each) for each in value if not isinstance(each, Mapping)]
            if scalars:
                yield f"{indent}{name}: [{', '.join(scalars)}]"
        else:
            yield f"{indent}{name}: {_scalar(value)}"


def _message(name: str, value: Mapping[str, Value], indent: str) -> Iterator[str]:
    yield f"{indent}{name} {{"
    yield from _lines(value, f"{indent}  ")
    yield f"{indent}}}"


def _scalar(value: bool | int | float | str) -> str:
    if isinstance(value, Word):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
