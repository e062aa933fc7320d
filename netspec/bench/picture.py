"""A report as a picture: a bar for each runtime, its quartiles at the end. Measures nothing."""

from __future__ import annotations

from netspec.bench.report import Report, counted, duration
from netspec.plots import content, panels


def draw(report: Report, form: str) -> bytes:
    """The content of a file of that format. The same report gives the same picture."""
    batches = list(dict.fromkeys(row.batch for row in report.rows))
    tallest = max((sum(row.batch == batch for row in report.rows) for batch in batches), default=1)
    height = max(1, len(batches)) * (1 + 0.4 * tallest)
    figure, places = panels(max(1, len(batches)), 1, (8, height))
    figure.suptitle(f"{report.network}, {counted(report.threads, 'thread')}: time of a run")
    for panel, batch in zip(places, batches, strict=False):
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
    return content(figure, form)
