"""One row for each op: how ONNX realises it. A module for each family of `netspec.ops`, imported when needed."""

"""One row for each op: how ONNX realises it. One module for each family of `netspec.ops`."""

from netspec.backends.onnx.ops import (  # noqa: F401 (each registers its rows)
    activation,
    attention,
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
from netspec.backends.onnx.rows import ROWS

__all__ = ["ROWS"]
