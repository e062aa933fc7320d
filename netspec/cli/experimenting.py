"""The commands that train a network in many forms, and compare."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from netspec.cli.feeding import Source, data_options
from netspec.cli.shared import (
    STDIN,
    format_option,
    load_graph,
    spec_options,
    write_output,
)
from netspec.cli.training import framework_option, given, recipe_options

if TYPE_CHECKING:
    from netspec.experiments.running import Outcome
    from netspec.experiments.tuning import Candidate

_jobs = click.option(
    "--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes that train."
)


@click.command()
@spec_options
@data_options
@click.option(
    "--drop",
    "dropped",
    multiple=True,
    metavar="OP|FAMILY|PATH",
    help="Also without these: dropout, bn, norm, layer1.bn2. Repeatable.",
)
@click.option(
    "--order",
    "orders",
    multiple=True,
    metavar="A,B,...",
    help="Also with neighbours in this order: activation,bn,dropout. Repeatable.",
)
@click.option(
    "--add",
    "additions",
    multiple=True,
    metavar="'OP: STEPS'",
    help="Also with these steps behind: 'relu: dropout 0.3'. Repeatable.",
)
@click.option(
    "--seeds",
    type=click.IntRange(2),
    default=5,
    show_default=True,
    help="Runs of each form, from --seed on.",
)
@framework_option
@recipe_options
@_jobs
@format_option
@click.option("--curves", metavar="FILE", help="Draw the runs: .png, .svg or .pdf.")
def ablate(
    source: Source,
    dropped: tuple[str, ...],
    orders: tuple[str, ...],
    additions: tuple[str, ...],
    seeds: int,
    framework: str,
    jobs: int,
    form: str,
    curves: str | None,
    **options: Any,
) -> None:
    """Train SPEC as it is and in other forms, and tell which differences are more than noise.

    Each form trains from several seeds, the same for all, on the same data in the same order. Scores are of the
    test part, or of the validation part where there is none.
    """
    if not (dropped or orders or additions):
        raise click.UsageError("say what to compare with: --drop, --order or --add")
    from netspec.experiments.ablation import ablate as run
    from netspec.experiments.variants import added, reordered, without
    from netspec.training.recipe import declare

    if curves is not None:
        from netspec.plots import form_of

        form_of(curves)
    recipe = declare(**given(options))
    graph = load_graph(**options)
    variants = [
        *(without(graph, what) for what in dict.fromkeys(dropped)),
        *(reordered(graph, order) for order in dict.fromkeys(orders)),
        *(added(graph, text) for text in dict.fromkeys(additions)),
    ]
    data = source.load(graph)
    total = seeds * (1 + len(variants))
    found = run(
        graph,
        data,
        variants,
        recipe,
        framework,
        seeds=seeds,
        jobs=jobs,
        watch=_Progress(total).outcome,
    )
    click.echo(found.to_json() if form == "json" else found.table())
    if curves is not None:
        from netspec.experiments.curves import draw

        write_output(curves, draw(found, curves))
    runs = sum(len(finding.outcomes) for finding in found.findings)
    if runs < total:
        click.echo(f"interrupted after {runs} of {total} runs", err=True)
        sys.exit(130)


@click.command()
@spec_options
@data_options
@click.option(
    "--param",
    "texts",
    multiple=True,
    required=True,
    metavar="NAME=VALUES",
    help="What to choose: rate=0.1:0.5, width=16,32,64, lr=1e-4:1e-1:log. Repeatable.",
)
@click.option("--folds", type=click.IntRange(2), default=5, show_default=True)
@click.option(
    "--trials", type=click.IntRange(1), default=20, show_default=True, help="Values to try."
)
@click.option("--storage", metavar="FILE", help="Keep the study there, and go on from it.")
@framework_option
@recipe_options
@_jobs
@format_option
@click.option("--csv", metavar="FILE", help="Write all trials.")
def tune(
    source: Source,
    texts: tuple[str, ...],
    folds: int,
    trials: int,
    storage: str | None,
    framework: str,
    jobs: int,
    form: str,
    csv: str | None,
    **options: Any,
) -> None:
    """Choose parameters of SPEC's net by k-fold cross-validation. SPEC itself stays as it is."""
    from netspec.experiments.search import tune as run
    from netspec.experiments.space import read_choices
    from netspec.training.recipe import declare

    if options["spec"] == STDIN:
        raise click.UsageError("tuning reads SPEC many times: name a file")
    recipe = declare(**given(options))
    choices = read_choices(texts)
    data = source.load(load_graph(**options))
    found = run(
        partial(_graph_with, options),
        choices,
        data,
        recipe,
        framework,
        folds=folds,
        trials=trials,
        jobs=jobs,
        storage=storage,
        watch=_Progress(trials).candidate,
    )
    click.echo(found.to_json() if form == "json" else found.table())
    if csv is not None:
        write_output(csv, found.to_csv().encode())
    if len(found.candidates) < trials:
        click.echo(f"interrupted after {len(found.candidates)} of {trials} trials", err=True)
        sys.exit(130)


def _graph_with(options: dict[str, Any], values: dict[str, Any]) -> Any:
    """The graph of the command's spec with these parameters, on top of those of `--set`."""
    return load_graph(**options, overrides=values)


class _Progress:
    """A line on stderr for each training that is finished."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0

    def outcome(self, outcome: Outcome) -> None:
        """A form was trained from a seed."""
        self.done += 1
        self._line(f"{outcome.name}, seed {outcome.seed}: {outcome.score:.4g}")

    def candidate(self, candidate: Candidate, done: int) -> None:
        """A trial is over, and the study has so many; or the net as it is written is measured."""
        from netspec.experiments.tuning import settings

        pruned = " (pruned)" if candidate.pruned else ""
        self.done = done
        self._line(f"{settings(candidate.values) or 'as written'}: {candidate.mean:.4g}{pruned}")

    def _line(self, text: str) -> None:
        click.echo(f"{self.done}/{self.total}  {text}", err=True)
