"""The command that runs a model: arrays, pictures and tables in, arrays or the best classes out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from netspec.cli.feeding import Feeding, feeding_options
from netspec.cli.shared import (
    STDIN,
    load_graph,
    provider_option,
    read_labels,
    read_weights,
    report,
    selection_options,
    weight_options,
    write_output,
)

if TYPE_CHECKING:
    from netspec.ir import Graph


@click.command()
@click.argument("model", metavar="MODEL")
@click.option(
    "--input",
    "inputs",
    metavar="[NAME=]FILE",
    required=True,
    multiple=True,
    help=".npy, .npz for several, pictures or a folder of them, a table; repeatable.",
)
@click.option(
    "-o",
    "output",
    metavar="FILE",
    help="Where to write the outputs (.npy, .npz); shown if not given.",
)
@feeding_options
@click.option("--top-k", "top", type=click.IntRange(1), help="Show the K best classes of each row.")
@click.option("--softmax", is_flag=True, help="Turn scores into probabilities.")
@click.option("--labels", metavar="FILE", help="The names of the classes, one a line.")
@click.option(
    "--batch", type=click.IntRange(1), help="Run so many rows at a time; all at once if not given."
)
@click.option("--profile", is_flag=True, help="Show which nodes and ops the time went to.")
@provider_option
@selection_options
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
    feeding: Feeding,
    top: int | None,
    softmax: bool,
    labels: str | None,
    batch: int | None,
    profile: bool,
    provider: Any,
    net: str | None,
    settings: tuple[str, ...],
    weights: str | None,
    seed: int | None,
    passes: tuple[str, ...],
    samples: int | None,
    sample_seed: int | None,
) -> None:
    """Run MODEL, an .onnx file or a spec, through ONNX Runtime. Arrays are batch first, channels first.

    Pixels become `(pixel * scale - mean) / std`. A picture has the input's size, or is resized where that is asked
    for. A row of a table is an example.
    """
    from netspec.arrays import describe, dump_arrays
    from netspec.intake import load_inputs
    from netspec.ranking import ranking
    from netspec.ranking import softmax as probabilities
    from netspec.runtime import ProviderUnavailable, open_session

    if labels is not None and top is None:
        raise click.UsageError("--labels goes with --top-k")
    if samples is not None and (top is not None or softmax):
        raise click.UsageError("--samples gives means and deviations, and no classes")
    content: Any = model
    is_model = model.endswith(".onnx")
    if is_model and (weights is not None or seed is not None or passes or net or settings):
        raise click.UsageError("an .onnx file has its weights: the other options go with a spec")
    options: dict[str, Any] = {"seed": sample_seed, "profile": profile}
    try:
        if is_model:
            session = open_session(content, provider, **options)
            wanted = {each.name: each.sizes[1:] for each in session.inputs}
            arrays, rows = load_inputs(inputs, wanted, feeding.pictures(None), feeding.columns)
        else:
            from netspec.compiler import compile as compile_graph

            graph = _graph_with_input(model, net, settings)
            sizes = None if graph is None else {x.name: x.shape.sizes for x in graph.inputs}
            arrays, rows = load_inputs(inputs, sizes, feeding.pictures(graph), feeding.columns)
            graph = graph or _graph_for(arrays, model, net, settings)
            given = read_weights(graph, weights, seed)
            content = compile_graph(
                _fitted(graph, arrays), target="onnx", weights=given, seed=seed, passes=passes
            ).content
            session = open_session(content, provider, **options)
    except ProviderUnavailable as error:
        report([error.diagnostic])
        sys.exit(3)
    if samples is None:
        results = session.run(arrays, batch)
    else:
        from netspec.sampling import sample

        results = sample(lambda: session.run(arrays, batch), samples).named()
    if softmax:
        results = {name: probabilities(values, name) for name, values in results.items()}
    if top is not None:
        names = read_labels(labels)
        for name, values in results.items():
            title = f"{name}:\n" if len(results) > 1 else ""
            click.echo(f"{title}{ranking(values, name, top, rows, names)}")
    elif output is None:
        click.echo(describe(results))
    if output is not None:
        write_output(output, dump_arrays(results, output))
    if profile:
        from netspec.profiling import profile_table

        click.echo(profile_table(session.end_profile()))
    note = f" ({session.note})" if session.note else ""
    click.echo(f"ran on {session.provider}{note}", err=True)


def _graph_with_input(spec: str, net: str | None, settings: tuple[str, ...]) -> Graph | None:
    """The graph of a spec, or None where it is to take the shape of what it is given."""
    from netspec.diagnostics import SpecError

    try:
        return load_graph(spec, net, settings, None)
    except SpecError as error:
        if spec == STDIN or [d.id for d in error.diagnostics] != ["no-input"]:
            raise
        return None


def _graph_for(arrays: Any, spec: str, net: str | None, settings: tuple[str, ...]) -> Graph:
    """The graph of a spec without an input, which takes the shape of the one array that it is given."""
    shape = None if isinstance(arrays, dict) else tuple(arrays.shape[1:])
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
