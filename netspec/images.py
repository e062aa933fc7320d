"""Images in files: their pixels, channels first, as whole numbers. Knows nothing of networks."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from netspec.backend import need
from netspec.diagnostics import Diagnostic, SpecError
from netspec.weights import Array, np

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff")

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""By the number of channels: what Pillow calls the kind of picture."""

Resizing: TypeAlias = Literal["stretch", "crop"]
"""To the size as it is, or the shorter side to it and then the middle."""


def pixels(
    path: str,
    channels: int,
    *,
    shown: str | None = None,
    size: tuple[int, int] | None = None,
    resize: Resizing | None = None,
) -> Array:
    """`(channels, h, w)`, uint8: the first picture of a file, upright as its EXIF says.

    With `resize`, brought to `size` (`h, w`) by Pillow's bilinear filter, which averages where it shrinks. `shown` is
    the file's name in messages. Raises `SpecError` where it cannot be read.
    """
    pillow = need("PIL.Image", "images")
    try:
        with pillow.open(path) as image:
            if image.mode[0] in "IF":  # which Pillow would cut off at 255
                raise ValueError(f"its pixels have more than 8 bits ({image.mode})")
            upright = need("PIL.ImageOps", "images").exif_transpose(image)
            converted = upright.convert(MODES[channels])
            if size is not None and resize is not None:
                converted = _resized(converted, size, resize)
            array = np.asarray(converted)
    except (OSError, pillow.DecompressionBombError, SyntaxError, ValueError) as error:
        message = f"cannot read {shown or path}: {error}"
        raise SpecError(Diagnostic("unreadable-file", message)) from None
    return array.reshape(*array.shape[:2], channels).transpose(2, 0, 1)


def _resized(image: Any, size: tuple[int, int], resize: Resizing) -> Any:
    height, width = size
    box = None
    if resize == "crop":
        factor = min(image.width / width, image.height / height)
        left, top = (image.width - width * factor) / 2, (image.height - height * factor) / 2
        box = (left, top, left + width * factor, top + height * factor)
    return image.resize((width, height), need("PIL.Image", "images").Resampling.BILINEAR, box)
