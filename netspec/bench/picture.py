"""A report as a picture: a bar for each runtime, its quartiles at the end. Measures nothing."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from netspec.backend import need
from netspec.bench.report import Report, counted, duration
from netspec.diagnostics import Diagnostic, SpecError

FORMATS = (".png", ".svg", ".pdf")


def form_of(path: str) -> str:
    """The format that a file's name asks for. Raises `SpecError` where it is none that is drawn."""
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        message = f"{path} does not end in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        raise SpecError(Diagnostic("bad-picture", message))
    return suffix[1:]


def draw(report: Report, form: str) -> bytes:
    """The content of a file of that format. The same report gives the same picture."""
    need("matplotlib", "plot")
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    batches = list(dict.fromkeys(row.batch for row in report.rows))
    tallest = max((sum(row.batch == batch for row in report.rows) for batch in batches), default=1)
    size = (8, max(1, len(batches)) * (1 + 0.4 * tallest))
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{report.network}, {counted(report.threads, 'thread')}: time of a run")
    panels = figure.subplots(max(1, len(batches)), 1, squeeze=False)[:, 0]
    for panel, batch in zip(panels, batches, strict=False):
        rows = [row for row in report.rows if row.batch == batch]
        medians = [1e3 * row.seconds.median for row in rows]
        spread = [
            [1e3 * (row.seconds.median - row.seconds.low) for row in rows],
            [1e3 * (row.seconds.high - row.seconds.median) for row in rows],
        ]
        bars = panel.barh([row.name for row in rows], medians, xerr=spread, capsize=3)
        words = [f"{duration(row.seconds.median)}  ({row.ratio.median:.2f})" for row in rows]
        panel.bar_label(bars, words, padding=6)
        panel.invert_yaxis()
        panel.margins(x=0.25)
        panel.set_title(f"batch {batch}", loc="left")
        panel.set_xlabel("ms; in brackets relative to the first")
        panel.spines[["top", "right"]].set_visible(False)
    buffer = BytesIO()
    with mpl.rc_context({"svg.hashsalt": report.fingerprint}):
        figure.savefig(buffer, format=form, dpi=150, metadata=UNDATED[form])
    return buffer.getvalue()


UNDATED = {"png": None, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
