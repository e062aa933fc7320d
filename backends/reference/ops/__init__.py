"""One row for each op: what it means, in NumPy. A module for each family of `netspec.ops`, imported when needed."""

"""One row for each op: what it means, in NumPy. One module for each family of `netspec.ops`."""

from netspec.backends.reference.ops import (  # noqa: F401 (each registers its rows)
    activation,
    attention,
    conv,
    dense,
    dropout,
    embedding,
    gated,
    merge,
    norm,
    param,
    permute,
    pool,
    positions,
    recurrent,
    reshape,
    slicing,
)
from netspec.backends.reference.rows import ROWS

__all__ = ["ROWS"]
