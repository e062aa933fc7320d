"""What an emitted PyTorch file brings along for attention within windows."""

from __future__ import annotations

_WINDOW_BIAS = '''\
def window_bias(batch: int, table: Tensor, window: list[int]) -> Tensor:
    """A table's entries for all ways between two places of a window.

    The axes are (batch, heads, queries, keys).
    """
    places = torch.arange(window[0] * window[1], device=table.device)
    rows = places.div(window[1], rounding_mode="floor")
    columns = places % window[1]
    down = rows[:, None] - rows + window[0] - 1
    right = columns[:, None] - columns + window[1] - 1
    bias = table[down * (2 * window[1] - 1) + right].movedim(-1, 0)
    return bias.expand(batch, -1, -1, -1)
'''

_SHIFTED_WINDOW_BIAS = '''\
def shifted_window_bias(
    batch: int, table: Tensor, window: list[int], size: list[int], shift: list[int]
) -> Tensor:
    """The same for each window of an image that was rolled; places once apart get -100.

    The axes are (batch, windows, heads, queries, keys).
    """
    parts: list[Tensor] = []
    for axis in range(2):
        places = torch.arange(size[axis], device=table.device)
        edge = (places >= size[axis] - window[axis]).int()
        part = edge + (places >= size[axis] - shift[axis]).int()
        parts.append(part.unflatten(0, (-1, window[axis])))
    down, right = parts[0][:, None, :, None], parts[1][:, None, :]
    regions = (3 * down + right).flatten(2).flatten(0, 1)
    apart = regions[:, None, :, None] != regions[:, None, None, :]
    bias = window_bias(1, table, window) - 100.0 * apart.to(table.dtype)
    return bias.expand(batch, -1, -1, -1, -1)
'''

WINDOWS = {"window_bias": _WINDOW_BIAS, "shifted_window_bias": _SHIFTED_WINDOW_BIAS}
