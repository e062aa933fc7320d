"""The commands that compute with weights and arrays."""

from __future__ import annotations

import sys
from typing import Any

import click

from netspec.cli.shared import (
    drawn_options,
    format_option,
    load_graph,
    pass_options,
    read_weights,
    spec_options,
)


@click.command()
@spec_options
@drawn_options
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
@format_option
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
