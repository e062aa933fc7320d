"""Pictures as files: which formats there are, panels to draw on, and their content. Knows nothing of what they show."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

from netspec.backend import need
from netspec.diagnostics import Diagnostic, SpecError

FORMATS = (".png", ".svg", ".pdf")

_UNDATED = {"png": None, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


def form_of(path: str) -> str:
    """The format that a file's name asks for. Raises `SpecError` where it is none that is drawn."""
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        message = f"{path} does not end in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        raise SpecError(Diagnostic("bad-picture", message))
    return suffix[1:]


def panels(rows: int, columns: int, size: tuple[float, float]) -> tuple[Any, list[Any]]:
    """A figure of this width and height in inches, and its panels row by row. Needs matplotlib."""
    need("matplotlib", "plot")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    found = list(figure.subplots(rows, columns, squeeze=False).flat)
    for panel in found:
        panel.spines[["top", "right"]].set_visible(False)
    return figure, found


def content(figure: Any, form: str) -> bytes:
    """The content of a file of that format. The same figure gives the same content."""
    mpl = need("matplotlib", "plot")
    buffer = BytesIO()
    with mpl.rc_context({"svg.hashsalt": "netspec"}):
        figure.savefig(buffer, format=form, dpi=150, metadata=_UNDATED[form])
    return buffer.getvalue()
