"""The ends of a QDQ model, images and results, as ONNX Runtime is fast with them. Knows ONNX, and nothing of specs."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from netspec.backend import need
from netspec.quantization.qdq import Qdq

if TYPE_CHECKING:
    import numpy as np

    from netspec.weights import Array
else:
    np = need("numpy", "weights")

onnx = need("onnx", "onnx")

_LANES = 4
"""ONNX Runtime's direct convolution of bytes takes a multiple of so many input channels (MLAS, `ConvSym`)."""
_FILTERS = 16
"""It takes so many filters at least."""
_MORE = 64
"""Multiply-adds that each of its results may take beyond what it takes anyway: it wins less than more would cost."""
_TAP = 135
"""What it takes to look up an element of a window, where it has more than one, in multiply-adds."""
_MOVE = 50
"""What it takes to move a number of an image into its block, in multiply-adds."""
_NODE = 250_000
"""What one op more in the graph takes, in multiply-adds."""
_PLAIN = ("Gemm", "MatMul")
"""What gives floats as soon as codes, of operands that are codes."""


def images(graph: Qdq) -> dict[str, list[Any]]:
    """By their names, what quantizes images, with what lays them out for the first convolution behind it.

    Channels of zeros, with weights of zero, make their number a multiple of 4: ONNX Runtime has a direct convolution
    for that, which needs a third of the time for a window of 3 x 3. A convolution of large windows with a stride
    reads blocks: a block's pixels, `stride` each way, are channels, and its window and stride so much smaller.
    """
    found: dict[str, list[Any]] = {}
    for given, image in graph.inputs.items():
        first = _first(graph, given)
        if first:
            blocks = _blocks(first, image)
            make = _in_blocks(first, blocks) if blocks else _widened(graph, first)
            found[first.quantize.name] = make
    return found


def results(graph: Qdq) -> dict[str, list[Any]]:
    """By their names, the roundings of results that would be floats already, with nothing in their places."""
    found: dict[str, list[Any]] = {}
    for name in graph.outputs:
        last = graph.maker(name, "DequantizeLinear")
        first = last and graph.maker(last.input[0], "QuantizeLinear")
        node = first and graph.maker(first.input[0], *_PLAIN)
        if node:
            node.output[0] = name
            found |= {first.name: [], last.name: []}
    return found


class _First(NamedTuple):
    """What quantizes an image, the 2-d convolution that alone reads it, and the tensor of its kernel."""

    quantize: Any
    conv: Any
    tensor: Any

    @property
    def kernel(self) -> Array:
        found: Array = onnx.numpy_helper.to_array(self.tensor)
        return found

    def attribute(self, name: str, default: list[int]) -> list[int]:
        """Whole numbers that the convolution is given."""
        found = [list(each.ints) for each in self.conv.attribute if each.name == name]
        return found[0] if found else default

    def change(self, kernel: Array, **attributes: list[int]) -> None:
        """Give the convolution another kernel and other numbers."""
        self.tensor.CopyFrom(onnx.numpy_helper.from_array(kernel, self.tensor.name))
        kept = [each for each in self.conv.attribute if each.name not in attributes]
        new = [onnx.helper.make_attribute(name, value) for name, value in attributes.items()]
        del self.conv.attribute[:]
        self.conv.attribute.extend([*kept, *new])


def _first(graph: Qdq, given: str) -> _First | None:
    """The convolution of an image, if it has filters enough and no groups."""
    quantize = graph.reader(given, "QuantizeLinear")
    floats = quantize and graph.reader(quantize.output[0], "DequantizeLinear")
    conv = floats and graph.reader(floats.output[0], "Conv")
    weight = conv and graph.maker(conv.input[1], "DequantizeLinear")
    if not weight or graph.reader(weight.input[0], "DequantizeLinear") is None:
        return None
    first = _First(quantize, conv, graph.held[weight.input[0]])
    filters, _, *window = first.tensor.dims
    has_groups = any(each.name == "group" and each.i > 1 for each in conv.attribute)
    return first if len(window) == 2 and filters >= _FILTERS and not has_groups else None


def _widened(graph: Qdq, first: _First) -> list[Any]:
    """What quantizes an image and adds channels of zeros, where that is faster."""
    quantize = first.quantize
    missing = _missing(first)
    if not missing:
        return [quantize]
    first.change(np.pad(first.kernel, [(0, 0), (0, missing), (0, 0), (0, 0)]))
    result = quantize.output[0]
    quantize.output[0] = f"{quantize.name}/narrow"
    pads = graph.hold(f"{quantize.name}/pads", np.array([0] * 5 + [missing, 0, 0], np.int64))
    name = f"{quantize.name}/wide"
    return [quantize, onnx.helper.make_node("Pad", [quantize.output[0], pads], [result], name)]


def _missing(first: _First) -> int:
    """How many channels of zeros are worth their multiply-adds."""
    channels, *window = first.tensor.dims[1:]
    missing: int = -channels % _LANES
    return missing if missing * prod(window) <= _MORE else 0


class _Blocks(NamedTuple):
    """An image in blocks: pixels each way, what a window begins in front of the image, and both in blocks."""

    size: int
    early: list[int]
    window: list[int]
    pads: list[int]


def _blocks(first: _First, image: tuple[int, ...]) -> _Blocks | None:
    """The blocks that an image is read in, where that is faster: the window has fewer elements to be looked up."""
    size, *others = first.attribute("strides", [1, 1])
    filters, channels, *window = first.tensor.dims
    pads = first.attribute("pads", [0] * 4)
    deep = channels * size * size
    is_dense = set(first.attribute("dilations", [1])) == {1}
    is_even = all(extent and extent % size == 0 for extent in image[2:]) and deep % _LANES == 0
    if size == 1 or others != [size] or not is_dense or not is_even:
        return None
    early = [-pad % size for pad in pads[:2]]
    smaller = [-(-(e + elements) // size) for e, elements in zip(early, window, strict=True)]
    sides = zip(image[2:], pads[:2], pads[2:], window, strict=True)
    counts = [(extent + sum(both) - elements) // size + 1 for extent, *both, elements in sides]
    before = _cost(window, filters * (channels + _missing(first)))
    after = _cost(smaller, filters * deep) + _MOVE * deep
    if (before - after) * prod(counts) <= _NODE:
        return None
    starts = [-(-pad // size) for pad in pads[:2]]
    ends = [
        count - 1 + elements - start - extent // size
        for count, elements, start, extent in zip(counts, smaller, starts, image[2:], strict=True)
    ]
    return _Blocks(size, early, smaller, [*starts, *ends])


def _cost(window: list[int], products: int) -> int:
    """Of all filters at one place, in multiply-adds, with so many of them for each element of the window."""
    elements = prod(window)
    return elements * (products + (_TAP if elements > 1 else 0))


def _in_blocks(first: _First, blocks: _Blocks) -> list[Any]:
    """What lays an image out in blocks and quantizes it. The convolution is changed for that."""
    size, early, smaller, pads = blocks
    filters, channels, *window = first.tensor.dims
    missing = [
        (e, blocks * size - e - elements)
        for e, blocks, elements in zip(early, smaller, window, strict=True)
    ]
    wide = np.pad(first.kernel, [(0, 0), (0, 0), *missing])
    split = wide.reshape(filters, channels, smaller[0], size, smaller[1], size)
    kernel = split.transpose(0, 3, 5, 1, 2, 4).reshape(filters, -1, *smaller)
    first.change(kernel, kernel_shape=smaller, strides=[1, 1], pads=pads)
    given = first.quantize.input[0]
    name = f"{given}/blocks"
    first.quantize.input[0] = name
    move = onnx.helper.make_node("SpaceToDepth", [given], [name], name, blocksize=size)
    return [move, first.quantize]
