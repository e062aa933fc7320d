"""The commands that judge and teach: `check` finds what is wrong or hardly meant, `explain` says why."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from netspec.cli.shared import STDIN, net_options, read_spec, report, write_output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netspec.diagnostics import Diagnostic
    from netspec.lint import Report


class Words(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2
    """`unused,softmax-of-one`."""

    name = "ID,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The words between the commas."""
        del param, ctx
        if isinstance(value, tuple):
            return value
        return tuple(word.strip() for word in value.split(",") if word.strip())


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="FILE|FOLDER|-...")
@net_options
@click.option("--select", type=Words(), help="Apply these rules only: ids, families, or `all`.")
@click.option("--ignore", type=Words(), default="", help="Leave these rules out.")
@click.option("--fix", is_flag=True, help="Mend what can be mended: files in place, - to stdout.")
@click.option("--diff", is_flag=True, help="Change nothing; show what --fix would change.")
@click.option(
    "--output-format",
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif", "github"]),
    default="text",
    help="How to report: text on stderr, anything else on stdout.",
)
def check(
    paths: tuple[str, ...],
    net: str | None,
    settings: tuple[str, ...],
    input_shape: tuple[int, ...] | None,
    bounds: tuple[str, ...],
    select: tuple[str, ...] | None,
    ignore: tuple[str, ...],
    fix: bool,
    diff: bool,
    form: str,
) -> None:
    """Say whether specs are right, and if not, all that is wrong with them.

    Mistakes of syntax, names and shapes come first; where there are none, lint rules object to what
    compiles and is hardly meant. `netspec explain` lists and explains them all. Every net of a file is
    checked, unless --net chooses one. Rules are chosen here, in `[tool.netspec]` of pyproject.toml
    (`select`, `ignore`, `per-file-ignores`), or by `# netspec: ignore[ID]` at the end of a line.

    Exits with 1 if anything is left to say, or would be changed; with 2 if the options or the
    configuration are wrong.
    """
    if form != "text" and (diff or (fix and STDIN in paths)):
        raise click.UsageError("stdout holds the text that is fixed: leave --output-format out")
    from netspec.diagnostics import SpecError
    from netspec.files import spec_files
    from netspec.language.nets import parse_override
    from netspec.limits import with_settings
    from netspec.lint.check import Options, Report
    from netspec.lint.files import check_file
    from netspec.lint.selection import BadConfiguration
    from netspec.source import Source

    overrides = dict(parse_override(setting) for setting in settings)
    options = Options(net, overrides, input_shape, with_settings(bounds))
    found: list[Diagnostic] = []
    changed = False
    for path in spec_files(paths):
        try:
            before = Source(*read_spec(path, options.limits))
            home = None if path == STDIN else path
            after, fixes = check_file(
                before, home, options, select=select, ignore=ignore, fix=fix or diff
            )
        except BadConfiguration as error:
            report(error.diagnostics)
            sys.exit(2)
        except SpecError as error:
            before = Source(path, "")
            after, fixes = Report(before, (), tuple(error.diagnostics)), 0
        else:
            _keep(path, before.text, after, fixes, diff=diff, fix=fix)
        found += after.diagnostics
        changed = changed or fixes > 0
        if form == "text" and not diff and not (path == STDIN and fix):
            for summary in after.summaries:
                click.echo(summary)
    _write(found, form)
    if found or (diff and changed):
        sys.exit(1)


def _keep(path: str, before: str, after: Report, fixes: int, *, diff: bool, fix: bool) -> None:
    """Write a text that was fixed, or show how it would change."""
    if diff:
        from netspec.files import unified_diff

        click.echo(unified_diff(after.source.name, before, after.source.text), nl=False)
    elif fix and path == STDIN:
        write_output(path, after.source.text.encode())
    elif fixes:
        from netspec.files import rewrite_text

        rewrite_text(path, after.source.text)
    if fixes:
        what = f"{fixes} problem{'s' if fixes > 1 else ''} in {after.source.name}"
        click.echo(f"{'would fix' if diff else 'fixed'} {what}", err=True)


def _write(found: Sequence[Diagnostic], form: str) -> None:
    """All that was found, as a program reads it; for a person, how many of it a program can mend."""
    if form == "json":
        import json

        from netspec.render import to_json

        click.echo(json.dumps({"ok": not found, "diagnostics": to_json(found)}, indent=2))
    elif form == "sarif":
        from netspec.sarif import to_sarif

        click.echo(to_sarif(found))
    elif form == "github":
        from netspec.render import to_github

        click.echo(to_github(found), nl=False)
    elif found:
        report(found)
        fixable = sum(each.fix is not None for each in found)
        if fixable:
            click.echo(f"\n{fixable} of {len(found)} can be mended with --fix", err=True)


@click.command()
@click.argument("id_", metavar="[ID]", required=False)
@click.option(
    "--markdown", is_flag=True, help="Print the page of all, as the documentation has it."
)
def explain(id_: str | None, markdown: bool) -> None:
    """Explain a diagnostic: what it means, why it matters, and how to do better. Without an ID, list all."""
    from netspec.explain import listing, page, to_markdown, to_text

    if markdown:
        click.echo(to_markdown(), nl=False)
    elif id_ is None:
        click.echo(listing(), nl=False)
    else:
        click.echo(to_text(page(id_)), nl=False)
