"""What the commands share: options, reading and writing, and what becomes of mistakes."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from errno import ENOSPC
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from netspec.ir import Graph
    from netspec.limits import Limits

Command = TypeVar("Command", bound=Callable[..., Any])

STDIN = "-"


class CommandGroup(click.Group):
    """Turns the user's mistakes into diagnostics on stderr."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; a `SpecError` ends it with its diagnostics and exit code 1."""
        from netspec.diagnostics import Diagnostic, SpecError

        try:
            return super().invoke(ctx)
        except SpecError as error:
            report(error.diagnostics)
            ctx.exit(1)
        except BrokenPipeError:
            # The reader has gone, which is its right; nothing is left to say.
            sys.stderr.close()
            ctx.exit(0)
        except OSError as error:
            if error.errno != ENOSPC:
                raise
            _leave_the_rest()
            where = error.filename or "the output"
            report([Diagnostic("unwritable-file", f"cannot write {where}: {error.strerror}")])
            ctx.exit(1)


def _leave_the_rest() -> None:
    """What stdout still holds goes nowhere, or Python would try to write it once more at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def report(diagnostics: Any) -> None:
    """Show diagnostics on stderr, in colour where a person looks."""
    from netspec.render import render

    click.echo(render(diagnostics, colour=_colour()), err=True, nl=False)


def _colour() -> bool:
    """Whether a terminal shows stderr; NO_COLOR and then FORCE_COLOR overrule what is found."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or sys.stderr.isatty()


class Sizes(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2
    """`1x28x28`, `3x?x?`, `?Tx64`."""

    name = "CxHxW"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The sizes as whole numbers; those known only at run time stay words, in which is no `x`."""
        if isinstance(value, tuple):
            return value
        words = value.split("x")
        if len(words) > 4 or not all(
            re.fullmatch(r"[0-9]{1,9}|\?([A-Za-z]\w*)?", w, re.A) for w in words
        ):
            self.fail(
                f"{value!r} is no shape: write channels first and without the batch, as in 1x28x28, "
                "and `?` or `?T` for a size known only at run time",
                param,
                ctx,
            )
        return tuple([word if word[0] == "?" else int(word) for word in words])


def spec_options(command: Command) -> Command:
    """A spec to read, and what selects and sizes it."""
    return click.argument("spec", metavar="SPEC")(net_options(command))


def format_option(command: Command) -> Command:
    """A report for people or for programs, as `form`."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["text", "json"]),
        default="text",
        help="How to report.",
    )(command)


def provider_option(command: Command) -> Command:
    """Where ONNX Runtime computes."""
    return click.option(
        "--provider", type=click.Choice(["cpu", "cuda", "auto"]), default="cpu", show_default=True
    )(command)


def drawn_options(command: Command) -> Command:
    """Weights from a file, or random ones, and inputs from a seed."""
    seed = click.option(
        "--seed",
        type=click.IntRange(0, 2**63 - 1),
        default=0,
        show_default=True,
        help="Of weights and inputs.",
    )
    return click.option(
        "--weights",
        metavar="FILE",
        help="Weights from a file in any format instead of random ones.",
    )(seed(command))


def selection_options(command: Command) -> Command:
    """What selects a net, and sets its parameters."""
    chosen = click.option(
        "--set", "settings", metavar="NAME=VALUE", multiple=True, help="Set a parameter of the net."
    )(command)
    return click.option(
        "--net", metavar="NAME", help="The net to take, where a spec holds several."
    )(chosen)


def net_options(command: Command) -> Command:
    """What selects a net, and sets and sizes it."""
    options = [
        selection_options,
        click.option(
            "--input",
            "input_shape",
            type=Sizes(),
            help="The input of a spec that has none, or its size: 3x224x224, 3x?x?.",
        ),
        click.option(
            "--limit",
            "bounds",
            metavar="NAME=VALUE",
            multiple=True,
            help="Change a bound on what a spec may ask for: nodes=200000.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def weight_options(command: Command) -> Command:
    """Weights from a file or a seed, and passes over them."""
    command = pass_options(command)
    options = [
        click.option(
            "--weights",
            metavar="FILE",
            help="Weights: safetensors, .pt, .keras, .weights.h5, .onnx.",
        ),
        click.option(
            "--seed", type=click.IntRange(0, 2**63 - 1), help="Draw weights from this seed."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def pass_options(command: Command) -> Command:
    """What rewrites the network for inference: the command takes the names as `passes`."""

    @wraps(command)
    def resolved(
        *arguments: Any, mc_dropout: bool, fold_bn: bool, everything: bool, names: str, **rest: Any
    ) -> Any:
        chosen = ["mc-dropout"] if mc_dropout else []
        chosen += [name.strip() for name in names.split(",") if name.strip()]
        if fold_bn:
            chosen.append("fold-bn")
        if everything:
            from netspec.passes import OPTIMIZE

            chosen += OPTIMIZE
        return command(*arguments, passes=tuple(dict.fromkeys(chosen)), **rest)

    options = [
        click.option(
            "--mc-dropout",
            is_flag=True,
            help="Keep dropout on at inference: each run is a sample.",
        ),
        click.option(
            "--fold-bn", is_flag=True, help="Fold batch norms into the layers before them."
        ),
        click.option("-O", "everything", is_flag=True, help="Optimize for inference: all passes."),
        click.option(
            "--passes", "names", default="", metavar="A,B", help="These passes, in this order."
        ),
    ]
    decorated: Any = resolved
    for option in reversed(options):
        decorated = option(decorated)
    result: Command = decorated
    return result


def read_spec(path: str, limits: Limits) -> tuple[str, str]:
    """The name and the text of a spec."""
    from netspec.files import decode, read_text

    if path == STDIN:
        return "<stdin>", decode(sys.stdin.buffer.read(limits.source_bytes + 1), "<stdin>", limits)
    return path, read_text(path, limits)


def load_graph(
    spec: str,
    net: str | None,
    settings: tuple[str, ...],
    input_shape: tuple[int | str, ...] | None,
    bounds: tuple[str, ...] = (),
    overrides: Mapping[str, object] | None = None,
) -> Graph:
    """The graph of a spec in a file or on stdin, as the shared options select, size and bound it.

    `overrides` set parameters of the net on top of `settings`.
    """
    from netspec.compiler import load, parse
    from netspec.files import decode
    from netspec.language.expand import parse_override
    from netspec.limits import with_settings

    limits = with_settings(bounds)
    options: dict[str, Any] = {
        "net": net,
        "overrides": {**dict(map(parse_override, settings)), **(overrides or {})},
        "input_shape": input_shape,
        "limits": limits,
    }
    if spec == STDIN:
        content = sys.stdin.buffer.read(limits.source_bytes + 1)
        return parse(decode(content, "<stdin>", limits), name="<stdin>", **options)
    return load(spec, **options)


def read_weights(graph: Graph, path: str | None, seed: int | None, *targets: str) -> Any:
    """The weights of a file in any format, found by name and proved to fit the graph; None where no file is given.

    `targets` are what the process needs besides.
    """
    if path is None:
        return None
    if seed is not None:
        raise click.UsageError("--weights and --seed exclude each other")
    from netspec.checkpoints.formats import load_matched

    return load_matched(path, graph, *targets).weights


def read_labels(path: str | None) -> tuple[str, ...]:
    """The names of classes in a file, one a line; none where no file is given."""
    if path is None:
        return ()
    from netspec.files import read_text

    return tuple(line.strip() for line in read_text(path).splitlines() if line.strip())


def write_output(path: str | None, content: bytes) -> None:
    """Write a command's product to a file, whole, or to stdout."""
    if path is not None and path != STDIN:
        from netspec.files import write_atomically

        write_atomically(path, content)
        return
    if b"\0" in content[:4096] and sys.stdout.isatty():
        raise click.UsageError("this is not text: name a file with -o")
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
