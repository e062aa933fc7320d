"""Tokens and positions: how PyTorch realises them."""

from __future__ import annotations

from netspec.backends.torch.layer import WEIGHT, Layer, X
from netspec.backends.torch.rows import ROWS
from netspec.dim import Dim
from netspec.emit.source import Call, Expr, Infix, Subscript, call
from netspec.ops.embedding import Embed, Positions, Sinusoidal
from netspec.shape import Shape


@ROWS.row(Embed)
def embed(op: Embed, _x: Shape) -> Layer:
    """An `Embedding`, which starts normal in PyTorch too."""
    sizes = {"num_embeddings": op.vocab, "embedding_dim": op.dim}
    return Layer(Call("nn.Embedding", sizes), heavy=True)


@ROWS.row(Positions)
def positions(op: Positions, x: Shape) -> Layer:
    """The first rows of an `Embedding`'s table."""
    sizes = {"num_embeddings": op.length, "embedding_dim": x.axis("c")}
    steps = x.axis("t")
    rows: Expr = WEIGHT if steps == op.length else Subscript(WEIGHT, f":{steps}")
    if isinstance(steps, Dim):
        rows = call("narrow", 0, 0, call("size", 1, on=X), on=WEIGHT)
    return Layer(Call("nn.Embedding", sizes), Infix("+", (X, rows)))


@ROWS.row(Sinusoidal)
def sinusoidal(op: Sinusoidal, x: Shape) -> Layer:
    """A module that holds the table."""
    sizes = {"length": x.axis("t"), "features": x.axis("c")}
    return Layer(Call("SinusoidalPositions", sizes, {"base": op.base}, {"base": 10000.0}))
