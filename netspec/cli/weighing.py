"""The commands about weight files: drawn, shown, converted, compared, averaged."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from netspec.cli.shared import (
    format_option,
    load_graph,
    net_options,
    spec_options,
    write_output,
)

if TYPE_CHECKING:
    from netspec.checkpoints.tensors import Checkpoint

_key = click.option(
    "--key",
    metavar="NAME",
    help="The state dict to take, where a PyTorch checkpoint holds several.",
)


@click.group("weights")
def weights_group() -> None:
    """Make, show, convert and compare weight files.

    Read are safetensors, PyTorch's checkpoints, Keras's .keras and .weights.h5, and ONNX models. Nothing that a
    file holds is run.
    """


@weights_group.command("init")
@spec_options
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Draw from this seed.",
)
@click.option("-o", "output", metavar="FILE", required=True, help="Where to write them.")
def init(seed: int, output: str, **spec: Any) -> None:
    """Draw the first weights of SPEC: the same seed gives the same network in every target."""
    from netspec.weights import dump_weights, init_weights

    graph = load_graph(**spec)
    write_output(output, dump_weights(init_weights(graph, seed), graph))


@weights_group.command("inspect")
@click.argument("file", metavar="FILE")
@_key
@format_option
def inspect(file: str, key: str | None, form: str) -> None:
    """Show the tensors of FILE: shapes, types, what the numbers are like, and a fingerprint of all of them."""
    from netspec.checkpoints.formats import read_checkpoint
    from netspec.checkpoints.measures import inspection, inspection_table

    found = inspection(read_checkpoint(file, key))
    click.echo(json.dumps(found, indent=2) if form == "json" else inspection_table(found))


@weights_group.command("convert")
@spec_options
@click.option("--from", "source", metavar="FILE", required=True, help="The file to read.")
@click.option(
    "--to",
    "goal",
    metavar="FILE",
    required=True,
    help="What to write: .safetensors, .pt, .pt2, .ts, .keras, .weights.h5, .onnx.",
)
@click.option(
    "--by-order", is_flag=True, help="Match by order and shape instead of names, and show how."
)
@click.option(
    "--ignore", multiple=True, metavar="PATTERN", help="Leave out tensors called so; repeatable."
)
@click.option(
    "--flatten",
    type=click.Choice(["channels-last", "channels-first"]),
    help="How a Keras model that netspec did not emit flattens maps.",
)
@_key
@click.option("--report", "shown", is_flag=True, help="Show which tensor became which weight.")
def convert(
    source: str,
    goal: str,
    by_order: bool,
    ignore: tuple[str, ...],
    flatten: str | None,
    key: str | None,
    shown: bool,
    **spec: Any,
) -> None:
    """Give SPEC the weights of one file, and write them to another in any format.

    Names are those of the spec's paths, without what stands in front of all of them (module.). A tensor that is
    missing, left over or of another shape is an error, and so is an order that does not decide.
    """
    from netspec.checkpoints.formats import load_matched
    from netspec.checkpoints.matching import table
    from netspec.writing import CANONICAL, suffix_of, target_of, write

    canonical = goal.endswith(CANONICAL)
    target = None if canonical else target_of(goal, None)
    if target == "ir" or (target is not None and suffix_of(goal) is None):
        raise click.UsageError(f"{goal} would hold no weights")
    graph = load_graph(**spec)
    found = load_matched(
        source,
        graph,
        *filter(None, [target]),
        key=key,
        by_order=by_order,
        ignore=ignore,
        flatten=flatten,
    )
    if by_order or shown:
        click.echo(table(found.matches), err=True)
    if canonical:
        from netspec.weights import dump_weights

        write_output(goal, dump_weights(found.weights, graph))
        return
    for beside in write(graph, goal, weights=found.weights)[1:]:
        click.echo(f"wrote {beside}, too", err=True)


@weights_group.command("diff")
@click.argument("first", metavar="FILE")
@click.argument("second", metavar="FILE")
@click.option(
    "--spec", metavar="SPEC", help="Compare as the weights of this network: formats may differ."
)
@net_options
@click.option(
    "--tolerance",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="How far numbers may be apart.",
)
@format_option
def diff(
    first: str, second: str, spec: str | None, tolerance: float, form: str, **options: Any
) -> None:
    """Compare the tensors of two files by name; exit with 1 if they differ."""
    from netspec.checkpoints.measures import differences, differences_table, differs

    sides: list[Any] = []
    if spec is None:
        sides = [
            {each.name: each.array for each in _read(path).tensors} for path in (first, second)
        ]
    else:
        from netspec.checkpoints.formats import load_matched

        graph = load_graph(spec, **options)
        sides = [load_matched(path, graph).weights for path in (first, second)]
    found = list(differences(*sides))
    equal = not any(differs(each, tolerance) for each in found)
    if form == "json":
        report = {"equal": equal, "tensors": [each._asdict() for each in found]}
        click.echo(json.dumps(report, indent=2))
    else:
        click.echo(differences_table(found, tolerance))
    if not equal:
        sys.exit(1)


@weights_group.command("average")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "-o", "output", metavar="FILE", required=True, help="Where to write it (safetensors)."
)
def average(files: tuple[str, ...], output: str) -> None:
    """Write the mean of several files of one network, tensor by tensor, as in stochastic weight averaging."""
    from netspec.checkpoints.measures import average as mean
    from netspec.checkpoints.measures import statistics_among
    from netspec.weights import dump_tensors

    if not output.endswith(".safetensors"):
        raise click.UsageError(f"the mean is written as safetensors, and {output} is not called so")
    read = [_read(path) for path in files]
    if any(each.target == "keras" for each in read):
        raise click.UsageError(
            "convert Keras's files first: their layouts are not the canonical ones"
        )
    found = mean(read)
    write_output(output, dump_tensors(found, read[0].about))
    click.echo(f"averaged {len(found)} tensors of {len(files)} files", err=True)
    if count := statistics_among(found):
        click.echo(
            f"{count} of them are running statistics, averaged too: they are not those of the averaged "
            "weights, which a pass over training data would give",
            err=True,
        )


def _read(path: str) -> Checkpoint:
    from netspec.checkpoints.formats import read_checkpoint

    return read_checkpoint(path)
