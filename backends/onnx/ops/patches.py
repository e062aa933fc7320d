"""Windows of an image as vectors, and their sum in its place: how ONNX realises them."""

from __future__ import annotations

from netspec.backends.onnx.rows import ROWS, Constant, Operand, Site, integers, node, reduced
from netspec.ops.patches import Fold, Unfold


@ROWS.row(Unfold)
def unfold(op: Unfold, site: Site) -> Operand:
    """The places that each tap of each window sees, gathered along both axes."""
    ((x,), (image,)) = site.inputs, site.shapes
    if any(op.padding):
        x = node("Pad", x, integers(*((0, 0, *op.padding) * 2)))
    steps = op.steps(image.spatial)
    for axis, place in enumerate((2, 4)):
        taps, count = range(op.kernel[axis]), range(steps[axis])
        seen = [t * op.dilation[axis] + i * op.stride[axis] for t in taps for i in count]
        x = node("Gather", x, Constant(tuple(seen), (len(taps), len(count))), axis=place)
    columns = node("Transpose", x, perm=(0, 3, 5, 1, 2, 4))
    return node("Reshape", columns, integers(-1, *op.infer(image).sizes))


@ROWS.row(Fold)
def fold(op: Fold, site: Site) -> Operand:
    """For each place of the image the windows that see it, gathered along both axes and added up."""
    image = op.infer(*site.shapes)
    channels, down, right = image.axis("c"), *op.steps(image.spatial)
    split = node("Reshape", site.inputs[0], integers(-1, down, right, channels, *op.kernel))
    x = node("Transpose", split, perm=(0, 3, 4, 1, 5, 2))
    rows, columns = op.kernel[0] * down, op.kernel[1] * right
    x = node("Reshape", x, integers(-1, channels, rows, columns))
    for axis, (place, size) in enumerate(zip((2, 3), image.spatial, strict=True)):
        taps, count = op.kernel[axis], (down, right)[axis]
        seen: list[int] = []
        for at in range(size):
            for tap in range(taps):
                window, rest = divmod(
                    at + op.padding[axis] - tap * op.dilation[axis], op.stride[axis]
                )
                is_seen = rest == 0 and 0 <= window < count
                seen.append(tap * count + window if is_seen else taps * count)
        after = [int(i == place) for i in range(4)]
        x = node("Pad", x, integers(0, 0, 0, 0, *after))
        x = node("Gather", x, Constant(tuple(seen), (size, taps)), axis=place)
        x = reduced("ReduceSum", site, place + 1, of=x)
    return x
