"""The commands that measure: how fast a network is, and what quantizing makes of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from netspec.cli.shared import load_graph, read_weights, spec_options, write_output

if TYPE_CHECKING:
    from netspec.bench.race import Progress


class Size(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2
    """`T=128`."""

    name = "NAME=N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The name and the number."""
        name, _, number = value.partition("=")
        if not (name.isidentifier() and number.isdecimal() and int(number)):
            self.fail(f"{value!r} is no size: write it as in T=128", param, ctx)
        return name, int(number)


def progress_line() -> Progress:
    """What shows the progress on a terminal, in one line that each call writes anew; else nothing."""
    if not sys.stderr.isatty():
        return lambda _: None
    return lambda words: click.echo(f"\r\x1b[K{words}", err=True, nl=False)


def end_of_progress() -> None:
    """Wipe the line."""
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", err=True, nl=False)


@click.command()
@spec_options
@click.option(
    "--weights", metavar="FILE", help="Canonical weights (safetensors) instead of random ones."
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Of weights and inputs.",
)
@click.option(
    "--runtime",
    "runtimes",
    multiple=True,
    metavar="NAME",
    help="Only this runtime; repeatable. Ratios are to the first.",
)
@click.option(
    "--batch", "batches", type=click.IntRange(1), multiple=True, default=(1,), show_default=True
)
@click.option(
    "--size", "sizes", type=Size(), multiple=True, help="A size that SPEC leaves open: T=128."
)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="Turns of each runtime, of about 50 ms.",
)
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to report."
)
@click.option("-o", "output", metavar="FILE", help="Draw a picture, too: .png, .svg or .pdf.")
def bench(
    weights: str | None,
    seed: int,
    runtimes: tuple[str, ...],
    batches: tuple[int, ...],
    sizes: tuple[tuple[str, int], ...],
    threads: int,
    rounds: int,
    form: str,
    output: str | None,
    **spec: Any,
) -> None:
    """Time inference of SPEC on every runtime that is installed, side by side.

    Each runtime is a process of its own, and they take turns. Outputs are compared with the float64
    reference before the clock runs: what is wrong is not timed, and the exit code is 1. Without --runtime these
    run: torch, torch-channels-last, torch-compile, keras, keras-function, ort, ort-optimized, openvino. The other is
    torch-export-ort.
    """
    from netspec.bench import bench as bench_graph
    from netspec.bench.picture import draw, form_of

    picture = None if output is None else form_of(output)
    graph = load_graph(**spec)
    report = bench_graph(
        graph,
        weights=read_weights(graph, weights, None),
        runtimes=runtimes or None,
        batches=tuple(dict.fromkeys(batches)),
        sizes=dict(sizes),
        threads=threads,
        rounds=rounds,
        seed=seed,
        progress=progress_line(),
    )
    end_of_progress()
    click.echo(report.to_json() if form == "json" else report.table())
    if picture is not None:
        write_output(output, draw(report, picture))
    if not report.passed:
        sys.exit(1)
