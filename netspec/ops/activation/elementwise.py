"""What functions of each element have in common."""

from netspec.ops.base import Example, Op
from netspec.shape import Shape


def examples_of(*lines: str) -> tuple[Example, ...]:
    """On an image and on a sequence, since nothing else can differ for a function of each element."""
    shapes: tuple[tuple[int, ...], ...] = ((3, 4, 5), (4, 5))
    return tuple(Example(line, (shape,), shape) for line in lines for shape in shapes)


class Elementwise(Op):
    """Keeps the shape."""

    layout = "any"
    elementwise = True

    def infer(self, *inputs: Shape) -> Shape:
        """Unchanged."""
        return inputs[0]
