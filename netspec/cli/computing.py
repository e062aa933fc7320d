"""The commands that compute with weights and arrays."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from netspec.cli.shared import (
    STDIN,
    load_graph,
    pass_options,
    read_weights,
    report,
    spec_options,
    weight_options,
    write_output,
)

if TYPE_CHECKING:
    from netspec.ir import Graph


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
    "--target", "-t", "targets", multiple=True, metavar="NAME", help="Only this target; repeatable."
)
@click.option(
    "--batch",
    "batches",
    type=click.IntRange(1),
    multiple=True,
    default=(1, 2, 7),
    show_default=True,
)
@click.option(
    "--precision",
    "precisions",
    type=click.Choice(["float32", "float64"]),
    multiple=True,
    default=("float32", "float64"),
    show_default=True,
)
@pass_options
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to report."
)
def verify(
    weights: str | None,
    seed: int,
    targets: tuple[str, ...],
    batches: tuple[int, ...],
    precisions: tuple[str, ...],
    passes: tuple[str, ...],
    form: str,
    **spec: Any,
) -> None:
    """Prove that SPEC gives the same numbers in every target.

    Builds each installed target in a process of its own, gives all the same weights and inputs, and
    compares outputs, gradients and statistics with a float64 reference.
    """
    from netspec.parity import verify as verify_graph

    graph = load_graph(**spec)
    report = verify_graph(
        graph,
        weights=read_weights(graph, weights, None),
        targets=targets or None,
        batches=batches,
        precisions=precisions,
        seed=seed,
        passes=passes,
    )
    click.echo(report.to_json() if form == "json" else report.table())
    if not report.passed:
        sys.exit(1)


@click.command()
@click.argument("model", metavar="MODEL")
@click.option(
    "--input",
    "inputs",
    metavar="[NAME=]FILE",
    required=True,
    multiple=True,
    help=".npy; .npz for several.",
)
@click.option(
    "-o",
    "output",
    metavar="FILE",
    help="Where to write the outputs (.npy, .npz); shown if not given.",
)
@click.option(
    "--provider", type=click.Choice(["cpu", "cuda", "auto"]), default="cpu", show_default=True
)
@click.option("--net", metavar="NAME", help="The net to take, where a spec holds several.")
@click.option(
    "--set", "settings", metavar="NAME=VALUE", multiple=True, help="Set a parameter of the net."
)
@weight_options
@click.option(
    "--samples",
    type=click.IntRange(2),
    help="Run so often, and give the mean and the standard deviation of each output.",
)
@click.option(
    "--sample-seed",
    type=click.IntRange(0, 2**31 - 1),
    help="Repeat what dropout draws; without it each run of the command draws anew.",
)
def run(
    model: str,
    inputs: tuple[str, ...],
    output: str | None,
    provider: Any,
    net: str | None,
    settings: tuple[str, ...],
    weights: str | None,
    seed: int | None,
    passes: tuple[str, ...],
    samples: int | None,
    sample_seed: int | None,
) -> None:
    """Run MODEL, an .onnx file or a spec, through ONNX Runtime. Arrays are batch first, channels first."""
    from netspec.arrays import describe, dump_arrays, load_arrays
    from netspec.runtime import ProviderUnavailable, open_session

    arrays = load_arrays(inputs)
    content: Any = model
    if not model.endswith(".onnx"):
        from netspec.compiler import compile as compile_graph

        bare = None if isinstance(arrays, dict) else tuple(arrays.shape[1:])
        graph = _fitted(_sized_graph(model, net, settings, bare), arrays)
        given = read_weights(graph, weights, seed)
        content = compile_graph(
            graph, target="onnx", weights=given, seed=seed, passes=passes
        ).content
    elif weights is not None or seed is not None or passes or net is not None or settings:
        raise click.UsageError("an .onnx file has its weights: the other options go with a spec")
    try:
        session = open_session(content, provider, seed=sample_seed)
    except ProviderUnavailable as error:
        report([error.diagnostic])
        sys.exit(3)
    if samples is None:
        results = session.run(arrays)
    else:
        from netspec.sampling import sample

        results = sample(lambda: session.run(arrays), samples).named()
    if output is None:
        click.echo(describe(results))
    else:
        write_output(output, dump_arrays(results, output))
    note = f" ({session.note})" if session.note else ""
    click.echo(f"ran on {session.provider}{note}", err=True)


def _sized_graph(
    spec: str, net: str | None, settings: tuple[str, ...], shape: tuple[int, ...] | None
) -> Graph:
    """The graph of a spec; one without an input takes the shape of the array that it is given."""
    from netspec.diagnostics import SpecError

    try:
        return load_graph(spec, net, settings, None)
    except SpecError as error:
        if shape is None or spec == STDIN or [d.id for d in error.diagnostics] != ["no-input"]:
            raise
        return load_graph(spec, net, settings, shape)


def _fitted(graph: Graph, arrays: Any) -> Graph:
    """The graph with its unknown sizes known from the arrays; arrays that do not fit it are judged later."""
    from netspec.sizes import bind, measure

    given = arrays if isinstance(arrays, dict) else {node.name: arrays for node in graph.inputs}
    shapes = {name: array.shape[1:] for name, array in given.items()}
    ranks = {node.name: len(node.shape.sizes) for node in graph.inputs}
    if {name: len(shape) for name, shape in shapes.items()} != ranks:
        return graph
    return bind(graph, measure(graph, shapes))
