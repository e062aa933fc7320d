"""The command that trains, and the options that declare a run: each field of a recipe is one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import click

from netspec.cli.feeding import Source, data_options
from netspec.cli.shared import (
    STDIN,
    Command,
    load_graph,
    read_weights,
    report,
    spec_options,
    write_output,
)
from netspec.training.recipe import Recipe
from netspec.training.run import Observer

if TYPE_CHECKING:
    from netspec.training.data import Data
    from netspec.training.history import Row
    from netspec.training.run import Result
    from netspec.training.task import Place

_HELP = {
    "loss": "What is made small.  [default: by the targets]",
    "class_weights": "Weights of the classes in the loss: one for each, or by how rare each is.",
    "optimizer": "PyTorch's, in both frameworks.",
    "schedule": "How the learning rate falls.",
    "seed": "Of the first weights, the order of the examples, and dropout.",
    "precision": "Of weights and arithmetic.",
}
"""Of the fields that do not describe themselves."""


class Weights(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2
    """`balanced`, or `1,2.5,1`."""

    name = "balanced|W,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The numbers between the commas."""
        if value == "balanced" or isinstance(value, tuple):
            return value
        try:
            return tuple(float(word) for word in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is neither `balanced` nor numbers with commas", param, ctx)


def recipe_options(command: Command) -> Command:
    """An option for each field of a recipe. The command gets those that are given, as `declare` takes them."""
    for name, field in reversed(Recipe.model_fields.items()):
        kind = _kind(field.annotation)
        flag = f"--{name.replace('_', '-')}"
        text = field.description or _HELP[name]
        if kind is bool:
            option = click.option(flag, is_flag=True, default=None, help=text)
        else:
            if field.default is not None:
                text += f"  [default: {field.default}]"
            option = click.option(flag, type=kind, help=text)
        command = option(command)
    return command


def _kind(annotation: Any) -> Any:
    """What click reads for a field: a choice, a number, a flag."""
    if get_origin(annotation) is Annotated:
        return _kind(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return click.Choice(get_args(annotation))
    if annotation in (int, float, bool):
        return annotation
    kinds = [each for each in get_args(annotation) if each is not type(None)]
    return _kind(kinds[0]) if len(kinds) == 1 else Weights()


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Takes the fields of a recipe out of a command's options: those that were given."""
    fields = {name: options.pop(name) for name in Recipe.model_fields}
    return {name: value for name, value in fields.items() if value is not None}


def framework_option(command: Command) -> Command:
    """What trains."""
    option = click.option(
        "--framework",
        type=click.Choice(["torch", "keras"]),
        default="torch",
        show_default=True,
        help="What trains.",
    )
    return option(command)


@click.command()
@spec_options
@data_options
@framework_option
@recipe_options
@click.option("--weights", metavar="FILE", help="Start from these instead of from the seed's.")
@click.option("-o", "output", metavar="FILE", help="Where to write the weights (safetensors).")
@click.option("--history", metavar="FILE", help="Write losses and metrics: .csv or .json.")
@click.option("--curves", metavar="FILE", help="Draw them: .png, .svg or .pdf.")
@click.option("--checkpoint", metavar="FILE", help="Keep the state of the run after each epoch.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint, exactly.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), help="Of PyTorch.  [default: cpu]")
@click.option("--distributed", is_flag=True, help="Train in all processes that torchrun started.")
@click.option("--emit-script", metavar="FILE", help="Do not train: write a script that does.")
def train(
    source: Source,
    framework: str,
    weights: str | None,
    output: str | None,
    history: str | None,
    curves: str | None,
    checkpoint: str | None,
    resume: bool,
    device: str | None,
    distributed: bool,
    emit_script: str | None,
    **options: Any,
) -> None:
    """Train SPEC, and write its weights for every target.

    The loss takes logits: a last softmax or sigmoid is left out while training. With --early-stopping the
    weights of the best epoch are kept; so they are after Ctrl-C, where there is a validation part.
    """
    if framework != "torch" and (distributed or device):
        raise click.UsageError("--distributed and --device go with PyTorch")
    if resume and checkpoint is None:
        raise click.UsageError("--resume goes on from a --checkpoint")
    if output is None and emit_script is None:
        raise click.UsageError("name a file for the weights with -o")
    if output is not None and emit_script is not None:
        raise click.UsageError("--emit-script trains nothing, so -o has no weights to write")
    from netspec.training.recipe import declare

    recipe = declare(**given(options))
    graph = load_graph(**options)
    if emit_script is not None:
        from netspec.training.script import write_script

        for path in write_script(emit_script, graph, source.load(graph), recipe, framework):
            click.echo(f"wrote {path}", err=True)
        return
    from netspec.training.run import train as train_graph

    place = _place(device, distributed)
    first = place.rank == 0
    found = source.load(graph, tell=first)
    if curves is not None:
        _check_curves(curves)
    result = train_graph(
        graph,
        found,
        recipe,
        framework,
        weights=read_weights(graph, weights, None),
        checkpoint=checkpoint,
        resume=resume,
        observer=Reporter() if first else None,
        place=place,
    )
    if first:
        _keep(result, graph, found, output, history, curves)


def _place(device: str | None, distributed: bool) -> Place:
    from netspec.training.task import Place, torchrun

    return torchrun(device or "cpu") if distributed else Place(device or "cpu")


def _check_curves(path: str) -> None:
    """Refuse a picture that cannot be drawn before the run, and not after it."""
    from netspec.backend import need
    from netspec.plots import form_of

    form_of(path)
    need("matplotlib", "plot")


def _keep(
    result: Result,
    graph: Any,
    data: Data,
    output: str | None,
    history: str | None,
    curves: str | None,
) -> None:
    """Write what the run gave, and say how it ended."""
    from netspec.diagnostics import Diagnostic
    from netspec.training.data import labels_file
    from netspec.weights import dump_weights

    rows = result.history.rows
    if rows and history is not None:
        write_output(history, result.history.dump(history))
    if rows and curves is not None:
        from netspec.training.curves import draw

        write_output(curves, draw(result.history, curves, result.best))
    if result.ended == "interrupted" and not rows:
        click.echo("interrupted before an epoch was over: nothing is kept", err=True)
        sys.exit(130)
    if result.ended == "diverged":
        cure = "take a smaller learning rate, or bound the gradients with --clip-norm"
        message = f"the loss of epoch {len(rows)} is not finite"
        report([Diagnostic("diverged", message, help=cure)])
        if result.best is None:
            sys.exit(1)
    write_output(output, dump_weights(result.weights, graph))
    if data.classes and output not in (None, STDIN):
        labels = str(Path(str(output)).with_suffix(".labels.txt"))
        write_output(labels, labels_file(data.classes))
        click.echo(f"wrote {labels}", err=True)
    for line in _summary(result, data):
        click.echo(line, err=True)
    if result.ended in ("diverged", "interrupted"):
        sys.exit(1 if result.ended == "diverged" else 130)


def _summary(result: Result, data: Data) -> list[str]:
    """The end in words: which weights these are, and what they are worth."""
    epochs, kept = len(result.history.rows), result.kept
    which = f"{kept}, the best by its validation loss" if kept == result.best else f"{kept}"
    lines = [f"{result.ended} after epoch {epochs}; weights of epoch {which}"]
    if result.test is not None and data.test is not None:
        said = _measures({f"test {name}": value for name, value in result.test.items()})
        lines.append(f"{said}  ({len(data.test.y)} examples that were held out)")
    return lines


def _measures(row: Row) -> str:
    """`loss 0.1234  accuracy 95.12 %`."""
    return "  ".join(
        f"{name} {value:.2%}" if name.endswith("accuracy") else f"{name} {value:.4g}"
        for name, value in row.items()
        if name not in ("epoch", "lr", "seconds")
    )


class Reporter(Observer):
    """Lines on stderr, an epoch each; on a terminal a bar over its steps, too."""

    def __init__(self) -> None:
        self.steps = sys.stderr.isatty()
        self._epochs = range(0)
        self._length = 0
        self._bar: Any = None

    def begin(self, epochs: range, steps: int) -> None:
        """Show the first bar."""
        self._epochs, self._length = epochs, steps
        self._open(epochs.start)

    def _open(self, epoch: int) -> None:
        if self.steps and epoch < self._epochs.stop:
            label = f"epoch {epoch + 1}/{self._epochs.stop}"
            self._bar = click.progressbar(length=self._length, label=label, file=sys.stderr)
            self._bar.render_progress()

    def step(self) -> None:
        """Advance the bar."""
        self._bar.update(1)

    def end(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.render_finish()
            click.echo("\r\033[2K", nl=False, err=True)
            self._bar = None

    def epoch(self, row: Row) -> None:
        """A line in the place of the bar."""
        self.end()
        last = self._epochs.stop
        number = f"epoch {row['epoch']:>{len(str(last))}.0f}/{last}"
        click.echo(f"{number}  {_measures(row)}  {row['seconds']:.1f} s", err=True)
        self._open(int(row["epoch"]))
