"""The command that runs a model: arrays, pictures and tables in, arrays or the best classes out."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

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
    from collections.abc import Callable, Mapping, Sequence

    from netspec.ir import Graph
    from netspec.runtime import Runner


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
    from netspec.runtime import ProviderUnavailable, open_session

    if labels is not None and top is None:
        raise click.UsageError("--labels goes with --top-k")
    if samples is not None and (top is not None or softmax):
        raise click.UsageError("--samples gives means and deviations, and no classes")
    is_model = model.endswith(".onnx")
    if is_model and (weights is not None or seed is not None or passes or net or settings):
        raise click.UsageError("an .onnx file has its weights: the other options go with a spec")
    start = partial(open_session, provider=provider, seed=sample_seed, profile=profile)
    try:
        if is_model:
            ready = _open_model(model, inputs, feeding, start)
        else:
            spec = _Spec(model, net, settings, weights, seed, passes)
            ready = _open_spec(spec, inputs, feeding, start)
    except ProviderUnavailable as error:
        report([error.diagnostic])
        sys.exit(3)
    session = ready.session
    if samples is None:
        results = session.run(ready.arrays, batch)
    else:
        from netspec.sampling import sample

        results = sample(lambda: session.run(ready.arrays, batch), samples).named()
    _tell(results, output, top, read_labels(labels), ready.rows, softmax=softmax)
    if profile:
        from netspec.profiling import profile_table

        click.echo(profile_table(session.end_profile()))
    note = f" ({session.note})" if session.note else ""
    click.echo(f"ran on {session.provider}{note}", err=True)


class _Ready(NamedTuple):
    """A session, what it is to be given, and what the rows of that are called."""

    session: Runner
    arrays: Any
    rows: Sequence[str]


class _Spec(NamedTuple):
    """A spec as the options select it, and its weights."""

    path: str
    net: str | None
    settings: tuple[str, ...]
    weights: str | None
    seed: int | None
    passes: tuple[str, ...]


def _open_model(
    path: str, inputs: Sequence[str], feeding: Feeding, start: Callable[[str], Runner]
) -> _Ready:
    """A model file tells what it takes."""
    from netspec.intake import load_inputs

    session = start(path)
    wanted = {each.name: each.sizes[1:] for each in session.inputs}
    return _Ready(session, *load_inputs(inputs, wanted, feeding.pictures(None), feeding.columns))


def _open_spec(
    spec: _Spec, inputs: Sequence[str], feeding: Feeding, start: Callable[[bytes], Runner]
) -> _Ready:
    """A spec tells what it takes, or takes what it is given; its graph is compiled for just that."""
    from netspec.compiler import compile as compile_graph
    from netspec.intake import load_inputs

    graph = _graph_with_input(spec)
    sizes = None if graph is None else {x.name: x.shape.sizes for x in graph.inputs}
    arrays, rows = load_inputs(inputs, sizes, feeding.pictures(graph), feeding.columns)
    graph = graph or _graph_for(arrays, spec)
    given = read_weights(graph, spec.weights, spec.seed)
    artifact = compile_graph(
        _fitted(graph, arrays), target="onnx", weights=given, seed=spec.seed, passes=spec.passes
    )
    return _Ready(start(artifact.content), arrays, rows)


def _tell(
    results: Mapping[str, Any],
    output: str | None,
    top: int | None,
    labels: tuple[str, ...],
    rows: Sequence[str],
    *,
    softmax: bool,
) -> None:
    """Show the best classes, or the results, or write these to a file."""
    from netspec.arrays import describe, dump_arrays
    from netspec.ranking import ranking
    from netspec.ranking import softmax as probabilities

    if softmax:
        results = {name: probabilities(values, name) for name, values in results.items()}
    if top is not None:
        for name, values in results.items():
            title = f"{name}:\n" if len(results) > 1 else ""
            click.echo(f"{title}{ranking(values, name, top, rows, labels)}")
    elif output is None:
        click.echo(describe(results))
    if output is not None:
        write_output(output, dump_arrays(results, output))


def _graph_with_input(spec: _Spec) -> Graph | None:
    """The graph of a spec, or None where it is to take the shape of what it is given."""
    from netspec.diagnostics import SpecError

    try:
        return load_graph(spec.path, spec.net, spec.settings, None)
    except SpecError as error:
        if spec.path == STDIN or [d.id for d in error.diagnostics] != ["no-input"]:
            raise
        return None


def _graph_for(arrays: Any, spec: _Spec) -> Graph:
    """The graph of a spec without an input, which takes the shape of the one array that it is given."""
    shape = None if isinstance(arrays, dict) else tuple(arrays.shape[1:])
    return load_graph(spec.path, spec.net, spec.settings, shape)


def _fitted(graph: Graph, arrays: Any) -> Graph:
    """The graph with its unknown sizes known from the arrays; arrays that do not fit it are judged later."""
    from netspec.sizes import bind, measure

    given = arrays if isinstance(arrays, dict) else {node.name: arrays for node in graph.inputs}
    shapes = {name: array.shape[1:] for name, array in given.items()}
    ranks = {node.name: len(node.shape.sizes) for node in graph.inputs}
    if {name: len(shape) for name, shape in shapes.items()} != ranks:
        return graph
    return bind(graph, measure(graph, shapes))
