"""The commands that need no framework: from a spec to text, or to a target's file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from netspec.cli.shared import (
    STDIN,
    format_option,
    load_graph,
    read_spec,
    read_weights,
    report,
    spec_options,
    weight_options,
    write_output,
)

if TYPE_CHECKING:
    from netspec.passes import Note


@click.command("compile")
@spec_options
@weight_options
@click.option("--target", "-t", metavar="torch|keras|onnx|ir", help="What to write.")
@click.option("--opset", type=click.IntRange(17, 24), help="ONNX operator set (default 20).")
@click.option(
    "--explain-passes", is_flag=True, help="Tell on stderr what the passes did with each layer."
)
@click.option("-o", "output", metavar="FILE", help="Where to write it; stdout if not given.")
def compile_(
    target: str | None,
    explain_passes: bool,
    output: str | None,
    weights: str | None,
    seed: int | None,
    passes: tuple[str, ...],
    opset: int | None,
    **spec: Any,
) -> None:
    """Write SPEC for a target. SPEC is a .net file, a graph as .json, or - for stdin.

    Where FILE ends in .onnx, .keras, .weights.h5, .pt, .pt2, .ts or .json, that is what is written, with weights. A
    source gets the weights that it is given beside it, as .safetensors.
    """
    from netspec.writing import target_of, write

    path = None if output == STDIN else output
    if target is None and path is None:
        raise click.UsageError("nothing says what to write: give --target, or a FILE with -o")
    target = target_of(path, target)
    if opset is not None and target != "onnx":
        raise click.UsageError("--opset goes with --target onnx")
    if path is None and target != "onnx" and (weights is not None or seed is not None):
        raise click.UsageError(
            "weights cannot stand on stdout beside the source: name a file with -o"
        )
    graph = load_graph(**spec)
    options: dict[str, Any] = {} if opset is None else {"opset": opset}
    options |= {"weights": read_weights(graph, weights, seed, target), "seed": seed}
    options |= {"passes": passes}

    def observe(notes: Sequence[Note]) -> None:
        if explain_passes:
            from netspec.passes.notes import told

            for line in told(notes):
                click.echo(line, err=True)

    if path is None:
        from netspec.compiler import compile as compile_graph

        artifact = compile_graph(graph, target=target, **options)
        write_output(None, artifact.content)
        observe(artifact.notes)
        return
    for beside in write(graph, path, target=target, observe=observe, **options)[1:]:
        note = ": import it before Keras loads the model, which has its classes"
        click.echo(f"wrote {beside}, too{note if beside.endswith('.py') else ''}", err=True)


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="FILE|FOLDER|-...")
@click.option(
    "--check", is_flag=True, help="Change nothing; exit with 1 if something would change."
)
@click.option("--diff", is_flag=True, help="Change nothing; show what would change.")
def fmt(paths: tuple[str, ...], check: bool, diff: bool) -> None:
    """Give specs their canonical form: files in place, - from stdin to stdout."""
    from netspec.diagnostics import SpecError
    from netspec.files import rewrite_text, spec_files, unified_diff
    from netspec.format import format_source
    from netspec.limits import DEFAULT
    from netspec.source import Source

    for path in paths:
        if path.endswith(".json"):
            raise click.UsageError(f"{path} is a graph, not a spec: `netspec print` shows it")
    failed = False
    for path in spec_files(paths):
        try:
            name, before = read_spec(path, DEFAULT)
            after = format_source(Source(name, before))
            changes = after != before
            if diff:
                click.echo(unified_diff(name, before, after), nl=False)
            elif path == STDIN and not check:
                write_output(None, after.encode())
            elif changes and not check:
                rewrite_text(path, after)
        except SpecError as error:
            report(error.diagnostics)
            failed = True
            continue
        failed = failed or (check and changes)
        if changes and path != STDIN:
            click.echo(f"{'would format' if check or diff else 'formatted'} {name}", err=True)
    if failed:
        sys.exit(1)


@click.command()
@spec_options
@format_option
def summary(form: str, **spec: Any) -> None:
    """Show the layers of SPEC with shapes, parameters and multiply-adds."""
    from netspec.summary import summarize, to_json, to_table

    content = summarize(load_graph(**spec))
    click.echo(to_json(content) if form == "json" else to_table(content), nl=False)


@click.command("print")
@spec_options
def print_(**spec: Any) -> None:
    """Show the graph that SPEC expands to, one node a line."""
    from netspec.text import to_text

    click.echo(to_text(load_graph(**spec)), nl=False)


@click.command()
def schema() -> None:
    """Print the JSON schema of the graphs that --target ir writes."""
    from netspec.schema import graph_schema_text

    click.echo(graph_schema_text(), nl=False)


@click.command()
@click.argument("name", required=False)
@click.option("--write", metavar="FOLDER", help="Write the pages of all families to FOLDER.")
def ops(name: str | None, write: str | None) -> None:
    """List the ops, or show the page of the op NAME."""
    from netspec.diagnostics import Diagnostic, SpecError
    from netspec.files import write_atomically
    from netspec.oppages import families, family_page, index_page, limits_page, op_page
    from netspec.ops import find, unknown_op

    if write is not None:
        pages = {"README": index_page(), "limits": limits_page()}
        pages |= {family: family_page(family) for family in families()}
        for page, text in pages.items():
            write_atomically(f"{write}/{page}.md", text.encode())
    elif name is None:
        for family, members in families().items():
            click.echo(f"{family}: {', '.join(op.kind for op in members)}")
    elif (op := find(name)) is None:
        unknown = unknown_op(name)
        raise SpecError(Diagnostic(unknown.id, unknown.message, help=unknown.help))
    else:
        click.echo(op_page(op), nl=False)
