"""Command line: arguments, files, exit codes. No logic; what a command needs is imported when it runs.

Exit codes: 0 done, 1 the spec or its data are wrong, 2 the command line is wrong, 3 the machine cannot
do it (a provider that is not there). Anything else is a bug and shows its traceback.
"""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from netspec.diagnostics import Diagnostic
    from netspec.ir import Graph

Command = TypeVar("Command", bound=Callable[..., Any])

STDIN = "-"


class _Group(click.Group):
    """Turns the user's mistakes into diagnostics on stderr."""

    def invoke(self, ctx: click.Context) -> Any:
        from netspec.diagnostics import SpecError

        try:
            return super().invoke(ctx)
        except SpecError as error:
            _report(error.diagnostics)
            ctx.exit(1)
        except BrokenPipeError:
            # The reader has gone, which is its right; nothing is left to say.
            sys.stderr.close()
            ctx.exit(0)


def _report(diagnostics: Any) -> None:
    from netspec.render import render

    click.echo(render(diagnostics, colour=_colour()), err=True, nl=False)


def _colour() -> bool:
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")


class _Sizes(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2
    """`1x28x28`."""

    name = "CxHxW"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, tuple):
            return value
        if not re.fullmatch(r"[0-9]{1,9}(x[0-9]{1,9}){0,3}", value):
            self.fail(
                f"{value!r} is no shape: write channels first and without the batch, as in 1x28x28",
                param,
                ctx,
            )
        return tuple(map(int, value.split("x")))


def _spec(command: Command) -> Command:
    """A spec to read, and what selects and sizes it."""
    options = [
        click.argument("spec", metavar="SPEC"),
        click.option(
            "--net", metavar="NAME", help="The net to take, where the file holds several."
        ),
        click.option(
            "--set",
            "settings",
            metavar="NAME=VALUE",
            multiple=True,
            help="Set a parameter of the net.",
        ),
        click.option(
            "--input",
            "input_shape",
            type=_Sizes(),
            help="The input of a spec that has none, or its size.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _weighted(command: Command) -> Command:
    """Weights from a file or a seed, and passes over them."""
    options = [
        click.option("--weights", metavar="FILE", help="Canonical weights (safetensors)."),
        click.option(
            "--seed", type=click.IntRange(0, 2**63 - 1), help="Draw weights from this seed."
        ),
        click.option(
            "--fold-bn", is_flag=True, help="Fold batch norms into the layers before them."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _read(path: str) -> tuple[str, str]:
    """The name and the text of a spec."""
    from netspec.files import decode, read_text

    if path == STDIN:
        return "<stdin>", decode(sys.stdin.buffer.read(), "<stdin>")
    return path, read_text(path)


def _graph(
    spec: str, net: str | None, settings: tuple[str, ...], input_shape: tuple[int, ...] | None
) -> Graph:
    from netspec.compiler import load, parse
    from netspec.files import decode
    from netspec.language.expand import parse_override

    options: dict[str, Any] = {
        "net": net,
        "overrides": dict(parse_override(setting) for setting in settings),
        "input_shape": input_shape,
    }
    if spec == STDIN:
        return parse(decode(sys.stdin.buffer.read(), "<stdin>"), name="<stdin>", **options)
    return load(spec, **options)


def _weights(graph: Graph, path: str | None, seed: int | None) -> Any:
    if path is None:
        return None
    if seed is not None:
        raise click.UsageError("--weights and --seed exclude each other")
    from netspec.weights import check_weights, load_weights

    weights = load_weights(path)
    check_weights(graph, weights, path)
    return weights


def _write(path: str | None, content: bytes) -> None:
    if path is not None and path != STDIN:
        from netspec.files import write_atomically

        write_atomically(path, content)
        return
    if b"\0" in content[:4096] and sys.stdout.isatty():
        raise click.UsageError("this is not text: name a file with -o")
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


@click.group(
    cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="netspec-compiler", prog_name="netspec")
def main() -> None:
    """Compile a neural-network spec to PyTorch, Keras or ONNX: one op, one meaning."""
    # What the imports make lives as long as the command: searching it for garbage on the way, and all
    # of it once more at the exit, would take a sixth of the time.
    gc.set_threshold(100_000)
    click.get_current_context().call_on_close(gc.freeze)
    # Pydantic looks for plugins in all that is installed; they observe models, which nobody does here.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


@main.command("compile")
@_spec
@_weighted
@click.option("--target", "-t", required=True, metavar="torch|keras|onnx|ir", help="What to write.")
@click.option("--opset", type=click.IntRange(17, 24), help="ONNX operator set (default 20).")
@click.option("-o", "output", metavar="FILE", help="Where to write it; stdout if not given.")
def compile_(
    target: str,
    output: str | None,
    weights: str | None,
    seed: int | None,
    fold_bn: bool,
    opset: int | None,
    **spec: Any,
) -> None:
    """Write SPEC for a target. SPEC is a .net file, a graph as .json, or - for stdin.

    A source target given weights writes those that fit it beside FILE, as .safetensors.
    """
    from pathlib import Path

    from netspec.compiler import compile as compile_graph

    if opset is not None and target != "onnx":
        raise click.UsageError("--opset goes with --target onnx")
    beside = target != "onnx" and (weights is not None or seed is not None)
    if beside and output in (None, STDIN):
        raise click.UsageError(
            "weights cannot stand on stdout beside the source: name a file with -o"
        )
    graph = _graph(**spec)
    options = {} if opset is None else {"opset": opset}
    given = _weights(graph, weights, seed)
    artifact = compile_graph(
        graph, target=target, weights=given, seed=seed, fold_bn=fold_bn, **options
    )
    if beside:
        from netspec.weights import dump_weights

        assert output is not None
        assert artifact.weights is not None
        _write(
            str(Path(output).with_suffix(".safetensors")),
            dump_weights(artifact.weights, artifact.graph),
        )
    _write(output, artifact.content)


@main.command()
@_spec
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to report."
)
def check(form: str, **spec: Any) -> None:
    """Say whether SPEC is right, and if not, all that is wrong with it."""
    from netspec.diagnostics import SpecError

    mistakes: list[Diagnostic] = []
    try:
        graph = _graph(**spec)
    except SpecError as error:
        mistakes += error.diagnostics
    if form == "json":
        import json

        from netspec.render import to_json

        click.echo(json.dumps({"ok": not mistakes, "diagnostics": to_json(mistakes)}, indent=2))
    elif mistakes:
        _report(mistakes)
    else:
        ends = ", ".join(str(graph.by_name[output.node].shape) for output in graph.outputs)
        click.echo(f"{graph.name}: {len(graph.nodes)} nodes, output {ends}")
    if mistakes:
        sys.exit(1)


@main.command()
@click.argument("paths", nargs=-1, required=True, metavar="FILE|FOLDER|-...")
@click.option(
    "--check", is_flag=True, help="Change nothing; exit with 1 if something would change."
)
@click.option("--diff", is_flag=True, help="Change nothing; show what would change.")
def fmt(paths: tuple[str, ...], check: bool, diff: bool) -> None:
    """Give specs their canonical form: files in place, - from stdin to stdout."""
    from netspec.diagnostics import SpecError
    from netspec.format import format_source
    from netspec.format.files import spec_files, unified_diff
    from netspec.source import Source

    failed = False
    for path in spec_files(paths):
        try:
            name, before = _read(path)
            after = format_source(Source(name, before))
            changes = after != before
            if diff:
                click.echo(unified_diff(name, before, after), nl=False)
            elif path == STDIN and not check:
                _write(None, after.encode())
            elif changes and not check:
                _write(path, after.encode())
        except SpecError as error:
            _report(error.diagnostics)
            failed = True
            continue
        failed = failed or (check and changes)
        if changes and path != STDIN:
            click.echo(f"{'would format' if check or diff else 'formatted'} {name}", err=True)
    if failed:
        sys.exit(1)


@main.command()
@_spec
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to report."
)
def summary(form: str, **spec: Any) -> None:
    """Show the layers of SPEC with shapes, parameters and multiply-adds."""
    from netspec.summary import summarize, to_json, to_table

    content = summarize(_graph(**spec))
    click.echo(to_json(content) if form == "json" else to_table(content), nl=False)


@main.command("print")
@_spec
def print_(**spec: Any) -> None:
    """Show the graph that SPEC expands to, one node a line."""
    from netspec.text import to_text

    click.echo(to_text(_graph(**spec)), nl=False)


@main.command()
@_spec
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
@click.option("--fold-bn", is_flag=True, help="Compare with batch norms folded.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to report."
)
def verify(
    weights: str | None,
    seed: int,
    targets: tuple[str, ...],
    batches: tuple[int, ...],
    precisions: tuple[str, ...],
    fold_bn: bool,
    form: str,
    **spec: Any,
) -> None:
    """Prove that SPEC gives the same numbers in every target.

    Builds each installed target in a process of its own, gives all the same weights and inputs, and
    compares outputs, gradients and statistics with a float64 reference.
    """
    from netspec.parity import verify as verify_graph

    graph = _graph(**spec)
    report = verify_graph(
        graph,
        weights=_weights(graph, weights, None),
        targets=targets or None,
        batches=batches,
        precisions=precisions,
        seed=seed,
        fold_bn=fold_bn,
    )
    click.echo(report.to_json() if form == "json" else report.table())
    if not report.passed:
        sys.exit(1)


@main.command()
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
@_weighted
def run(
    model: str,
    inputs: tuple[str, ...],
    output: str | None,
    provider: Any,
    net: str | None,
    settings: tuple[str, ...],
    weights: str | None,
    seed: int | None,
    fold_bn: bool,
) -> None:
    """Run MODEL, an .onnx file or a spec, through ONNX Runtime. Arrays are batch first, channels first."""
    from netspec.arrays import describe, dump_arrays, load_arrays
    from netspec.runtime import ProviderUnavailable, open_session

    arrays = load_arrays(inputs)
    content: Any = model
    if not model.endswith(".onnx"):
        from netspec.compiler import compile as compile_graph

        bare = None if isinstance(arrays, dict) else tuple(arrays.shape[1:])
        graph = _sized_graph(model, net, settings, bare)
        given = _weights(graph, weights, seed)
        content = compile_graph(
            graph, target="onnx", weights=given, seed=seed, fold_bn=fold_bn
        ).content
    elif weights is not None or seed is not None or fold_bn or net is not None or settings:
        raise click.UsageError("an .onnx file has its weights: the other options go with a spec")
    try:
        session = open_session(content, provider)
    except ProviderUnavailable as error:
        _report([error.diagnostic])
        sys.exit(3)
    results = session.run(arrays)
    if output is None:
        click.echo(describe(results))
    else:
        _write(output, dump_arrays(results, output))
    note = f" ({session.note})" if session.note else ""
    click.echo(f"ran on {session.provider}{note}", err=True)


def _sized_graph(
    spec: str, net: str | None, settings: tuple[str, ...], shape: tuple[int, ...] | None
) -> Graph:
    """The graph of a spec; one without an input takes the shape of the array that it is given."""
    from netspec.diagnostics import SpecError

    try:
        return _graph(spec, net, settings, None)
    except SpecError as error:
        if shape is None or spec == STDIN or [d.id for d in error.diagnostics] != ["no-input"]:
            raise
        return _graph(spec, net, settings, shape)


@main.group("weights")
def weights_group() -> None:
    """Make weight files."""


@weights_group.command("init")
@_spec
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Draw from this seed.",
)
@click.option("-o", "output", metavar="FILE", required=True, help="Where to write them.")
def weights_init(seed: int, output: str, **spec: Any) -> None:
    """Draw the first weights of SPEC: the same seed gives the same network in every target."""
    from netspec.weights import dump_weights, init_weights

    graph = _graph(**spec)
    _write(output, dump_weights(init_weights(graph, seed), graph))


@main.command()
def schema() -> None:
    """Print the JSON schema of the graphs that --target ir writes."""
    from netspec.schema import graph_schema_text

    click.echo(graph_schema_text(), nl=False)
