"""The commands about passes, which rewrite a network for inference."""

from __future__ import annotations

import click


@click.command()
def passes() -> None:
    """List the passes of -O, in their order."""
    from netspec.passes import CATALOGUE

    width = max(map(len, CATALOGUE))
    for name, listed in CATALOGUE.items():
        click.echo(f"{name:{width}}  {listed.summary}")
