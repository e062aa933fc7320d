"""Every op of the language. A family of ops is a module here, or a package where it is large.

Making the classes of all ops takes longer than compiling a network, so a module is imported when an op of it
is asked for. `rooms.py` has the names that each declares; `python -m netspec.ops` writes it.
"""

from netspec.ops.base import Example, Init, Op, Parting, Rejected, Weight
from netspec.ops.index import (
    all_ops,
    family_of,
    find,
    names,
    own_name,
    partings,
    unknown_op,
    words,
    words_of,
)

__all__ = [
    "Example",
    "Init",
    "Op",
    "Parting",
    "Rejected",
    "Weight",
    "all_ops",
    "family_of",
    "find",
    "names",
    "own_name",
    "partings",
    "unknown_op",
    "words",
    "words_of",
]
