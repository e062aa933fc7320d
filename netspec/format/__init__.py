"""The canonical form of a spec: what `netspec fmt` writes. Knows nothing of files or of what a spec compiles to."""

from netspec.format.rules import Rules
from netspec.language.syntax import parse
from netspec.limits import DEFAULT, Limits
from netspec.source import Source

__all__ = ["format_source"]


def format_source(source: Source, limits: Limits = DEFAULT) -> str:
    """The text in canonical form: the same tree, every comment once and in its order.

    Formatting the result again changes nothing. Raises `SpecError` where the text does not parse.
    """
    return Rules(parse(source, limits), limits).text()
