"""The commands that measure: how fast a network is, and what quantizing makes of it."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import click

from netspec.cli.feeding import Feeding, feeding_options, label_option
from netspec.cli.shared import (
    drawn_options,
    format_option,
    load_graph,
    read_weights,
    report,
    spec_options,
    write_output,
)

if TYPE_CHECKING:
    from netspec.bench.race import Progress


class Size(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2
    """`T=128`."""

    name = "NAME=N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The name and the number."""
        name, _, number = value.partition("=")
        if not name.isidentifier() or not re.fullmatch("0*[1-9][0-9]{0,8}", number):
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
@drawn_options
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
    "--clock",
    type=click.Choice(["wall", "processor"]),
    default="wall",
    show_default=True,
    help="What passes, or what is computed: for busy machines.",
)
@format_option
@click.option("-o", "output", metavar="FILE", help="Draw a picture, too: .png, .svg or .pdf.")
def bench(
    weights: str | None,
    seed: int,
    runtimes: tuple[str, ...],
    batches: tuple[int, ...],
    sizes: tuple[tuple[str, int], ...],
    threads: int,
    rounds: int,
    clock: str,
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
    from netspec.bench.picture import draw
    from netspec.plots import form_of

    picture = None if output is None else form_of(output)
    graph = load_graph(**spec)
    measured = bench_graph(
        graph,
        weights=read_weights(graph, weights, None),
        runtimes=runtimes or None,
        batches=tuple(dict.fromkeys(batches)),
        sizes=dict(sizes),
        threads=threads,
        rounds=rounds,
        clock=clock,
        seed=seed,
        progress=progress_line(),
    )
    end_of_progress()
    click.echo(measured.to_json() if form == "json" else measured.table())
    if picture is not None:
        write_output(output, draw(measured, picture))
    if not measured.passed:
        sys.exit(1)


class Fraction(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2
    """`0.01`, from 0 to 1."""

    name = "SHARE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number."""
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not 0 <= number <= 1:
            self.fail(f"{value!r} is no share: write it as in 0.01", param, ctx)
        return number


@click.command()
@spec_options
@click.option("--weights", metavar="FILE", required=True, help="Weights from a file in any format.")
@click.option(
    "--calibrate",
    metavar="FILE",
    multiple=True,
    required=True,
    help="Examples to find ranges with, and to judge by: .npz with an array for each input, .npy, pictures, a "
    "table; or data with labels, as `netspec train` takes them.",
)
@click.option("--evaluate", metavar="FILE", multiple=True, help="Other examples to judge by.")
@click.option("--labels-in", "labels", metavar="FILE:NAME", help="The classes of arrays judged by.")
@label_option
@feeding_options
@click.option("--int8", type=click.Choice(["static", "dynamic"]), help="INT8 (default static).")
@click.option("--fp16", is_flag=True, help="float16 instead of INT8.")
@click.option(
    "--method",
    type=click.Choice(["minmax", "entropy", "percentile"]),
    default="minmax",
    show_default=True,
    help="How ranges are found.",
)
@click.option("--reduce-range", is_flag=True, help="Weights of 7 bits, for x86 without VNNI.")
@click.option("--max-drop", type=Fraction(), help="Accuracy that may be lost (0.01, given labels).")
@click.option(
    "--min-agreement", type=Fraction(), help="Least share of equal classes (0.99, without labels)."
)
@click.option(
    "--max-error", type=click.FloatRange(0), help="Greatest relative error (0.05, without classes)."
)
@click.option(
    "--batch", "batches", type=click.IntRange(1), multiple=True, default=(1,), show_default=True
)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "--rounds",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="Turns to time it in; 0 times nothing.",
)
@format_option
@click.option("-o", "output", metavar="FILE", required=True, help="Where to write the model.")
def quantize(
    weights: str,
    calibrate: tuple[str, ...],
    evaluate: tuple[str, ...],
    labels: str | None,
    label: str | None,
    feeding: Feeding,
    int8: str | None,
    fp16: bool,
    method: str,
    reduce_range: bool,
    max_drop: float | None,
    min_agreement: float | None,
    max_error: float | None,
    batches: tuple[int, ...],
    threads: int,
    rounds: int,
    form: str,
    output: str,
    **spec: Any,
) -> None:
    """Convert SPEC with trained weights to INT8 or float16, and say what that saves and costs.

    The result is an ONNX model for ONNX Runtime. It is compared with the network in float32 over the examples
    given: by accuracy where there are labels, else by how often both see the same class, else by the
    error of the outputs. Where more is lost than allowed, nothing is written, and the exit code is 1.
    """
    if fp16 and int8 is not None:
        raise click.UsageError("--fp16 and --int8 exclude each other")
    from netspec.quantization import Thresholds
    from netspec.quantization import quantize as quantize_graph
    from netspec.quantization.data import load_both

    graph = load_graph(**spec)
    reading = feeding.reading(label, graph)
    calibration, evaluation = load_both(graph, calibrate, evaluate, labels, reading)
    result = quantize_graph(
        graph,
        read_weights(graph, weights, None),
        calibration,
        form="fp16" if fp16 else f"int8-{int8 or 'static'}",
        method=method,
        reduce_range=reduce_range,
        evaluation=evaluation,
        thresholds=Thresholds(max_drop, min_agreement, max_error),
        batches=tuple(dict.fromkeys(batches)),
        threads=threads,
        rounds=rounds,
        progress=progress_line(),
    )
    end_of_progress()
    click.echo(result.to_json() if form == "json" else result.text())
    if not result.passed:
        report(tuple(result.diagnostics()))
        sys.exit(1)
    write_output(output, result.content)
