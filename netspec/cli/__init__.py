"""Command line: arguments, files, exit codes. No logic; what a command needs is imported when it runs.

Exit codes: 0 done, 1 the spec or its data are wrong (for `check`, warnings too), 2 the command line or
the configuration is wrong, 3 the machine cannot do it (a provider that is not there). Anything else is
a bug and shows its traceback.
"""

from __future__ import annotations

import gc
import os

import click

from netspec.cli import checking, compiling, computing
from netspec.cli.shared import CommandGroup


@click.group(
    cls=CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
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


for _command in (
    compiling.compile_,
    checking.check,
    checking.explain,
    compiling.fmt,
    compiling.summary,
    compiling.print_,
    compiling.schema,
    compiling.ops,
    computing.verify,
    computing.run,
    computing.weights_group,
):
    main.add_command(_command)
