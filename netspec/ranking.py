"""The best classes of each row of scores. Knows nothing of what gave the scores, or of who shows them."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.diagnostics import Diagnostic, SpecError
from netspec.weights import Array, np


def softmax(values: Array, name: str) -> Array:
    """Probabilities from scores `(n, classes)`. Raises `SpecError` for another rank."""
    values = _scores(values, name)
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    result: Array = powers / powers.sum(axis=1, keepdims=True)
    return result


def best_classes(values: Array, name: str, top: int, labels: Sequence[str] = ()) -> Array:
    """The numbers of the `top` best classes of each row `(n, top)`, the first one of equals first.

    Raises `SpecError` for scores that are not `(n, classes)`, and for labels that are not one for each class.
    """
    scores = _scores(values, name)
    if labels and len(labels) != values.shape[1]:
        message = f"there are {len(labels)} labels, and `{name}` has {values.shape[1]} classes"
        raise SpecError(Diagnostic("unfit-labels", message))
    best: Array = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    return best


def ranking(
    values: Array, name: str, top: int, rows: Sequence[str], labels: Sequence[str] = ()
) -> str:
    """A line for each row: what it is called, and its best classes with their scores."""
    best = best_classes(values, name, top, labels)
    width = max(map(len, rows), default=0)
    lines = []
    for row, classes, scores in zip(rows, best, values, strict=True):
        found = (f"{labels[place] if labels else place} {scores[place]:.4f}" for place in classes)
        lines.append(f"{row:<{width}}  {', '.join(found)}")
    return "\n".join(lines)


def _scores(values: Array, name: str) -> Array:
    """Scores as floats: whole numbers, which a quantized model may give, have no place for what becomes of them."""
    if values.ndim != 2:
        sizes = " x ".join(map(str, values.shape[1:])) or "one number"
        message = f"`{name}` is {sizes} a row, and no vector of a score for each class"
        raise SpecError(Diagnostic("not-by-row", message))
    return values if values.dtype.kind == "f" else values.astype(np.float64)
