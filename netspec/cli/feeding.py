"""Options of the commands that read data: how tables and pictures become what a network is given."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import click

from netspec.cli.shared import Command

if TYPE_CHECKING:
    from netspec.intake import Pictures
    from netspec.ir import Graph
    from netspec.labelled import Reading
    from netspec.training.data import Data


class Numbers(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2
    """`0.5` or `0.485,0.456,0.406`."""

    name = "NUMBER,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The numbers."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(float(word) for word in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is no list of numbers: write 0.485,0.456,0.406", param, ctx)


class Feeding(NamedTuple):
    """The columns of a table that are taken, and how pixels become numbers."""

    columns: tuple[str, ...]
    scale: float | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize: Literal["stretch", "crop"] | None

    def pictures(self, graph: Graph | None) -> Pictures:
        """How pixels become numbers: without a scale from 0 to 1, unless the spec begins with `rescale`."""
        from netspec.intake import Pictures

        scale = self.scale
        if scale is None:
            inputs = () if graph is None else graph.inputs
            first = [n for x in inputs for n in graph.readers[x.name]] if graph else []
            raw = graph is not None and any(graph.by_name[n].op.kind == "rescale" for n in first)
            scale = 1.0 if raw else 1 / 255
        return Pictures(scale, self.mean, self.std, self.resize)

    def reading(self, label: str | None, graph: Graph) -> Reading:
        """How files become examples, whose labels are in that column of a table."""
        from netspec.labelled import Reading

        return Reading(self.columns, label, self.pictures(graph))


def feeding_options(command: Command) -> Command:
    """The command gets them as `feeding`."""

    @wraps(command)
    def resolved(
        *arguments: Any,
        columns: str | None,
        scale: float | None,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        resize: Literal["stretch", "crop"] | None,
        **rest: Any,
    ) -> Any:
        chosen = tuple(columns.split(",")) if columns else ()
        return command(*arguments, feeding=Feeding(chosen, scale, mean, std, resize), **rest)

    options = [
        click.option(
            "--columns", metavar="NAME,...", help="The columns of a table that hold the numbers."
        ),
        click.option("--scale", type=float, help="Factor of pixels [1/255]."),
        click.option(
            "--mean", type=Numbers(), default="0", help="Taken from scaled pixels, by channel."
        ),
        click.option(
            "--std", type=Numbers(), default="1", help="What they are divided by, by channel."
        ),
        click.option(
            "--resize",
            type=click.Choice(["stretch", "crop"]),
            help="Bring pictures to the input's size: as they are, or their middle.",
        ),
    ]
    decorated: Any = resolved
    for option in reversed(options):
        decorated = option(decorated)
    result: Command = decorated
    return result


def label_option(command: Command) -> Command:
    """Which column of a table has the labels, as `label`."""
    option = click.option(
        "--label-column",
        "label",
        metavar="NAME",
        help="The column of a table that has the labels.  [default: the last]",
    )
    return option(command)


class Source(NamedTuple):
    """Data to train with, as an option names them."""

    path: str
    label: str | None
    feeding: Feeding

    def load(self, graph: Graph, *, tell: bool = True) -> Data:
        """The data as the network takes them; names of classes are told on stderr."""
        from netspec.labelled import listed
        from netspec.training.data import load_data

        wanted = {node.name: node.shape.sizes for node in graph.inputs}
        data = load_data(self.path, wanted, self.feeding.reading(self.label, graph))
        if tell and data.classes:
            named = listed([f"{number} {name}" for number, name in enumerate(data.classes)])
            click.echo(f"classes: {named}", err=True)
        return data


def data_options(command: Command) -> Command:
    """The command gets them as `source`."""

    @wraps(command)
    def resolved(
        *arguments: Any, data: str, label: str | None, feeding: Feeding, **rest: Any
    ) -> Any:
        return command(*arguments, source=Source(data, label, feeding), **rest)

    with_feeding: Any = feeding_options(resolved)
    given = click.option(
        "--data",
        required=True,
        metavar="FILE|FOLDER|NAME",
        help="x and y, or x_train, y_train, x_val ... in a .npz file; a table (.csv, .tsv, .parquet); "
        "a folder of pictures by class; or digits, breast-cancer, wine, iris, diabetes.",
    )
    result: Command = given(label_option(with_feeding))
    return result
