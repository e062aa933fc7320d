"""Every op of the language; importing this package makes them known. One module for each family."""

from netspec.ops import (  # noqa: F401 (each registers its ops)
    activation,
    conv,
    dense,
    dropout,
    embedding,
    gated,
    input,  # noqa: A004
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
from netspec.ops.base import Example, Init, Op, Rejected, Weight, all_ops, find, names

__all__ = ["Example", "Init", "Op", "Rejected", "Weight", "all_ops", "find", "names"]
