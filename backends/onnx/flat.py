"""Tensors held flat, all their positions in one axis: `(n t, c)` for `(n, t, c)`. Knows no op."""

from __future__ import annotations

from netspec.backends.onnx.rows import Apply, Operand, integers, node
from netspec.dim import Dim
from netspec.shape import Shape


class Numbering:
    """How positions are numbered in one axis, for all tensors of a model that are flat.

    The positions of an example stand together; those of a `t c` do not where `steps_first`: then the same step of
    all examples stands together, and the axes are `(t, n, c)`. Not so where the number of steps is known only at run
    time: for none, the product that ONNX Runtime makes of such heads divides by zero and ends the process.
    """

    def __init__(self, *, steps_first: bool = False) -> None:
        self._steps_first = steps_first
        self._counts: dict[Dim | None, Operand] = {}
        self._targets: dict[tuple[object, ...], Operand] = {}

    def steps_first(self, shape: Shape) -> bool:
        """Whether the axes of that tensor are `(t, n, c)` when it is taken apart."""
        return self._steps_first and shape.axes == "tc" and not isinstance(shape.sizes[0], Dim)

    def count(self, value: Operand, shape: Shape) -> None:
        """Take note of a value with all its axes: examples and sizes known only at run time are read off it."""
        for place, size in enumerate((None, *shape.sizes)):
            if size is None or isinstance(size, Dim):
                self._counts.setdefault(size, node("Shape", value, start=place, end=place + 1))

    def flat(self, whole: Operand, shape: Shape) -> Apply:
        """A tensor with its positions in one axis."""
        if self.steps_first(shape):
            whole = node("Transpose", whole, perm=(1, 0, 2))
        return node("Reshape", whole, self._target(-1, shape.sizes[-1]))

    def whole(self, flat: Operand, shape: Shape) -> Apply:
        """A flat tensor of that shape as the spec has it."""
        apart = self.apart(flat, shape, shape.sizes[-1])
        return node("Transpose", apart, perm=(1, 0, 2)) if self.steps_first(shape) else apart

    def apart(self, flat: Operand, shape: Shape, *features: int) -> Apply:
        """A flat tensor of that shape with an axis for the examples and for each of its positions'.

        The axes are those that `steps_first` says. Its features may be in several axes.
        """
        positions = shape.sizes[:-1]
        is_open = any(isinstance(size, Dim) for size in positions)
        examples = None if is_open else -1
        lead = (*positions, examples) if self.steps_first(shape) else (examples, *positions)
        if isinstance(flat, Apply) and flat.op_type == "Reshape":
            flat = flat.operands[0]  # of two in a row the last one alone is needed
        target = self._target(*lead, *features)
        return node("Reshape", flat, target, **({"allowzero": 1} if is_open else {}))

    def _target(self, *sizes: int | None) -> Operand:
        """Sizes as one vector, made once; None stands for the number of examples."""
        if sizes not in self._targets:
            parts = [self._counts[s] if s is None or isinstance(s, Dim) else s for s in sizes]
            known = [part for part in parts if isinstance(part, int)]
            if len(known) == len(parts):
                self._targets[sizes] = integers(*known)
            else:
                pieces = [integers(part) if isinstance(part, int) else part for part in parts]
                self._targets[sizes] = node("Concat", *pieces, axis=0)
        return self._targets[sizes]


def joined(value: Operand, features: int) -> Apply:
    """A tensor flat again whose axes are in the order of its numbering."""
    return node("Reshape", value, integers(-1, features))
