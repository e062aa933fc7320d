"""Command line: arguments, files, exit codes. No logic; what a command needs is imported when it runs.

Exit codes: 0 done, 1 the spec or its data are wrong (for `check`, warnings too), 2 the command line or
the configuration is wrong, 3 the machine cannot do it (a provider that is not there). Anything else is
a bug and shows its traceback.
"""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

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
    if os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__") == "__all__":
        _import_no_plugins()


def _import_no_plugins() -> None:
    """Spare Pydantic the search for plugins, which observe models: nobody does that here.

    Even where they are disabled it imports what would find them, `importlib.metadata` and `email` for the most
    part, which takes a fifteenth of a command's time. What else is asked of the module is the module's own.
    """
    name = "pydantic.plugin._loader"

    def loaded(attribute: str) -> Any:
        if attribute.startswith("__"):  # the import system asks whether it is a package
            raise AttributeError(attribute)
        del sys.modules[name]
        return getattr(import_module(name), attribute)

    found = ModuleType(name)
    vars(found).update(get_plugins=tuple, __getattr__=loaded)
    sys.modules.setdefault(name, found)


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
