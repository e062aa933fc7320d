"""A history as a picture: the loss over the epochs, and the metric beside it. Measures nothing."""

from __future__ import annotations

from typing import Any

from netspec.plots import content, form_of, panels
from netspec.training.history import History


def draw(history: History, path: str, best: int | None = None) -> bytes:
    """The content of a file of that name: .png, .svg or .pdf. `best` is an epoch to mark, from 1.

    Raises `SpecError` where the name ends otherwise.
    """
    measures = [name for name in ("loss", "accuracy", "mae") if name in history.columns]
    figure, places = panels(1, len(measures), (5 * len(measures), 3.5))
    for panel, measure in zip(places, measures, strict=True):
        _plot(panel, history, measure, best)
    return content(figure, form_of(path))


def _plot(panel: Any, history: History, measure: str, best: int | None) -> None:
    epochs = history.column("epoch")
    for name, label in ((measure, "training"), (f"val_{measure}", "validation")):
        if name in history.columns:
            panel.plot(epochs, history.column(name), label=label)
    if best is not None:
        panel.axvline(best, color="grey", linestyle=":", label=f"best, epoch {best}")
    panel.set_xlabel("epoch")
    panel.set_title(measure, loc="left")
    panel.xaxis.get_major_locator().set_params(integer=True)
    panel.legend(frameon=False)
