"""The course of every run as a picture: a line for the mean of each form, a band for its runs."""

from __future__ import annotations

from netspec.experiments.ablation import Ablation
from netspec.plots import content, form_of, panels
from netspec.weights import np


def draw(ablation: Ablation, path: str) -> bytes:
    """The content of a file of that name. Runs that ended early go on at their last value."""
    columns = ablation.findings[0].outcomes[0].history.columns
    shown = [c for c in ("loss", "val_loss", f"val_{ablation.metric}") if c in columns]
    figure, places = panels(1, len(shown), (5 * len(shown), 4))
    figure.suptitle(f"{ablation.network} on {ablation.data}")
    for panel, column in zip(places, shown, strict=True):
        for finding in ablation.findings:
            rows = [outcome.history.column(column) for outcome in finding.outcomes]
            length = max(map(len, rows), default=0)
            values = np.array([row + row[-1:] * (length - len(row)) for row in rows if row])
            epochs = np.arange(1, length + 1)
            (line,) = panel.plot(epochs, values.mean(0), label=finding.name)
            panel.fill_between(
                epochs, values.min(0), values.max(0), alpha=0.15, color=line.get_color()
            )
        panel.set_xlabel("epoch")
        panel.set_title(column.replace("val_", "validation "), loc="left")
        panel.legend(frameon=False)
    return content(figure, form_of(path))
