"""One row for each op: how PyTorch realises it. A module for each family of `netspec.ops`, imported when needed."""

"""One row for each op: how PyTorch realises it. One module for each family of `netspec.ops`."""

from netspec.backends.torch.ops import (  # noqa: F401 (each registers its rows)
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
from netspec.backends.torch.rows import ROWS

__all__ = ["ROWS"]
