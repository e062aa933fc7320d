"""The command about the machine: what netspec can use of it."""

from __future__ import annotations

import sys

import click

from netspec.cli.shared import format_option


@click.command()
@format_option
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0, min_open=True),
    default=120,
    show_default=True,
    help="Seconds for each package.",
)
def doctor(form: str, time_limit: float) -> None:
    """Look at what is installed: versions, what computes, what clashes, and the command that mends it.

    Every package is tried in a process of its own. Exits with 1 where something installed is broken; what is absent
    is no fault.
    """
    from netspec.doctor import examine, healthy, to_json, to_table

    findings = examine(time_limit)
    click.echo(to_json(findings) if form == "json" else to_table(findings))
    if not healthy(findings):
        sys.exit(1)
