"""The commands that put a network to work: `score` over a dataset, `deploy` to a server."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal

import click

from netspec.cli.shared import (
    load_graph,
    provider_option,
    read_labels,
    read_weights,
    report,
    selection_options,
    spec_options,
    weight_options,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


def _named(values: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """`INPUT=COLUMN,...` as a mapping."""
    found = {}
    for value in values:
        name, equals, columns = value.partition("=")
        if not equals or not name or not all(columns.split(",")):
            raise click.UsageError(f"--column {value}: write INPUT=COLUMN, or INPUT=A,B,C")
        found[name] = tuple(columns.split(","))
    return found


@click.command()
@click.argument("model", metavar="MODEL")
@click.option(
    "--input",
    "data",
    metavar="PATH|PATTERN",
    required=True,
    multiple=True,
    help="Parquet, .npz, .npy or image files, folders of them, or a pattern in quotes; repeatable.",
)
@click.option(
    "-o", "--output", metavar="FOLDER", required=True, help="The parts of the result, as Parquet."
)
@click.option("--batch", type=click.IntRange(1), default=256, show_default=True)
@click.option(
    "--workers", type=click.IntRange(1), help="Processes; by default as many as the data is worth."
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "local", "ray"]),
    default="auto",
    show_default=True,
    help="Processes of this machine, or Ray Data.",
)
@click.option(
    "--column",
    "columns",
    metavar="INPUT=COLUMN,...",
    multiple=True,
    help="What feeds an input, where it is not called so; several columns of numbers make a vector.",
)
@click.option(
    "--key", "keys", metavar="COLUMN", multiple=True, help="A column to copy; repeatable."
)
@click.option("--softmax", is_flag=True, help="Turn scores into probabilities.")
@click.option(
    "--top-k", "top", type=click.IntRange(1), default=None, help="Keep the best K classes only."
)
@click.option("--labels", metavar="FILE", help="The names of the classes, one a line.")
@click.option(
    "--scale",
    type=float,
    default=1 / 255,
    help="Factor of the pixels of images, 1/255 if not given.",
)
@click.option(
    "--part-rows",
    type=click.IntRange(1),
    default=16_384,
    show_default=True,
    help="Rows of a part: what a worker that dies may lose and does again.",
)
@provider_option
@selection_options
@weight_options
def score(
    model: str,
    data: tuple[str, ...],
    output: str,
    columns: tuple[str, ...],
    keys: tuple[str, ...],
    softmax: bool,
    top: int | None,
    labels: str | None,
    scale: float,
    net: str | None,
    settings: tuple[str, ...],
    weights: str | None,
    seed: int | None,
    passes: tuple[str, ...],
    **running: Any,
) -> None:
    """Score a dataset with MODEL, an .onnx file or a spec, through ONNX Runtime.

    Data streams through in batches, so that memory does not grow with it. Each part of the output
    appears when it is whole; a run that was stopped goes on when it is repeated. A row of the output has
    the `source` and `row` that it came from, the key columns, and the results.
    """
    from netspec.runtime import ProviderUnavailable
    from netspec.scoring import Choices, Running
    from netspec.scoring import score as score_data
    from netspec.scoring.progress import Progress

    if labels is not None and top is None:
        raise click.UsageError("--labels goes with --top-k")
    content: bytes | str = model
    if not model.endswith(".onnx"):
        content = _compiled(model, net, settings, weights, seed, passes)
    elif any((weights, seed is not None, passes, net, settings)):
        raise click.UsageError("an .onnx file has its weights: the other options go with a spec")
    choices = Choices(
        columns=dict(_named(columns)),
        keys=keys,
        softmax=softmax,
        top=top or 0,
        labels=read_labels(labels),
        scale=scale,
    )
    progress = Progress()
    try:
        done = score_data(content, data, output, choices, Running(**running), progress)
    except ProviderUnavailable as error:
        report([error.diagnostic])
        sys.exit(3)
    except KeyboardInterrupt:
        click.echo("\nstopped: the same command goes on from here", err=True)
        sys.exit(130)
    finally:
        progress.close()
    how = f"{done.workers} worker{'s' * (done.workers > 1)}, {done.engine}"
    rate = done.scored / max(done.seconds, 1e-9)
    click.echo(
        f"scored {done.scored:,} of {done.rows:,} rows in {done.seconds:.1f} s "
        f"({rate:,.0f} rows/s; {how}); {done.parts} parts in {output}",
        err=True,
    )


def _compiled(
    spec: str,
    net: str | None,
    settings: tuple[str, ...],
    weights: str | None,
    seed: int | None,
    passes: tuple[str, ...],
) -> bytes:
    """The ONNX model of a spec."""
    from netspec.compiler import compile as compile_graph

    graph = load_graph(spec, net, settings, None)
    given = read_weights(graph, weights, seed)
    return compile_graph(graph, target="onnx", weights=given, seed=seed, passes=passes).content


@click.group()
def deploy() -> None:
    """Lay a network out for a server."""


@deploy.command()
@spec_options
@weight_options
@click.option("-o", "--output", metavar="FOLDER", required=True, help="The model repository.")
@click.option(
    "--name", metavar="NAME", help="What the server calls it; the net's name if not given."
)
@click.option("--version", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "--max-batch",
    type=click.IntRange(0),
    default=64,
    show_default=True,
    help="Join requests to batches of up to this size; 0 takes them as they come.",
)
@click.option(
    "--preferred-batch",
    "preferred",
    type=click.IntRange(1),
    multiple=True,
    help="A size of batch to wait for; repeatable.",
)
@click.option(
    "--queue-delay",
    "delay",
    type=click.IntRange(0),
    default=100,
    show_default=True,
    help="Microseconds that a request may wait for others.",
)
@click.option("--instances", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "gpu"]), default="auto", show_default=True
)
@click.option(
    "--warm-up", is_flag=True, help="Run each size of batch once before the first request."
)
@click.option("--labels", metavar="FILE", help="The names of the classes, one a line.")
@click.option("--opset", type=click.IntRange(17, 24), help="ONNX operator set (default 20).")
def triton(
    output: str,
    name: str | None,
    version: int,
    max_batch: int,
    preferred: tuple[int, ...],
    delay: int,
    instances: int,
    device: Literal["auto", "cpu", "gpu"],
    warm_up: bool,
    labels: str | None,
    weights: str | None,
    seed: int | None,
    passes: tuple[str, ...],
    opset: int | None,
    **spec: Any,
) -> None:
    """Add SPEC to a model repository of NVIDIA's Triton Inference Server."""
    from netspec.compiler import compile as compile_graph
    from netspec.deploy.triton import Serving, write_repository

    graph = load_graph(**spec)
    given = read_weights(graph, weights, seed)
    options = {} if opset is None else {"opset": opset}
    model = compile_graph(
        graph, target="onnx", weights=given, seed=seed, passes=passes, **options
    ).content
    serving = Serving(version, max_batch, preferred, delay, instances, device, warm_up)
    home = write_repository(graph, model, output, serving, read_labels(labels), name)
    click.echo(f"wrote version {version} to {home}", err=True)
