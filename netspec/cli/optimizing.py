"""The commands about passes, which rewrite a network for inference."""

from __future__ import annotations

import click


@click.command()
def passes() -> None:
    """List the passes of -O, in their order, and those that must be asked for."""
    from netspec.passes import CATALOGUE, OPTIMIZE

    width = max(map(len, CATALOGUE))
    for name in dict.fromkeys([*OPTIMIZE, *CATALOGUE]):
        apart = "" if name in OPTIMIZE else " (not in -O)"
        click.echo(f"{name:{width}}  {CATALOGUE[name].summary}{apart}")
