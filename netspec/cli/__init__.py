"""Command line: arguments, files, exit codes. No logic; a command, and what it needs, is imported when it runs.

Exit codes: 0 done, 1 the spec or its data are wrong (for `check`, warnings too), 2 the command line or
the configuration is wrong, 3 the machine cannot do it (a provider that is not there). Anything else is
a bug and shows its traceback.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

import click

from netspec.cli.shared import CommandGroup

COMMANDS = {
    "compile": ("compiling:compile_", "Write SPEC for a target."),
    "check": ("checking:check", "Look for mistakes in specs, and for what is probably not meant."),
    "explain": ("checking:explain", "Tell what NAME, the id in a diagnostic, means."),
    "fmt": ("compiling:fmt", "Give specs their canonical form."),
    "summary": ("compiling:summary", "Show layers, shapes, parameters and multiply-adds."),
    "print": ("compiling:print_", "Show the graph that SPEC expands to, one node a line."),
    "schema": ("compiling:schema", "Print the JSON schema of graphs."),
    "ops": ("compiling:ops", "List the ops, or show the page of one."),
    "passes": ("optimizing:passes", "List the passes of -O."),
    "verify": ("computing:verify", "Prove that SPEC gives the same numbers in every target."),
    "run": ("running:run", "Run an .onnx file or a spec through ONNX Runtime."),
    "train": ("training:train", "Train SPEC in PyTorch or Keras, and write its weights."),
    "quantize": ("measuring:quantize", "Convert SPEC to INT8 or float16, and say what that costs."),
    "bench": ("measuring:bench", "Time SPEC on every runtime, side by side."),
    "deploy": ("serving:deploy", "Lay a network out for a server (Triton)."),
    "score": ("serving:score", "Score a dataset of any size with a model."),
    "doctor": ("health:doctor", "Say what of this machine works, and mend the rest."),
    "ablate": ("experimenting:ablate", "Tell what layers of SPEC are worth, by training."),
    "tune": ("experimenting:tune", "Choose parameters of SPEC by cross-validation."),
    "weights": ("weighing:weights_group", "Make, show, convert and compare weight files."),
}
"""Of each command: where it stands below `netspec.cli`, and what `--help` says of it."""


class Commands(CommandGroup):
    """Finds a command when it is asked for: to name all of them imports none."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """In the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command."""
        if cmd_name not in COMMANDS:
            return None
        room, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(f"netspec.cli.{room}"), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The table, as it stands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, said) for name, (_, said) in COMMANDS.items()])


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="netspec-compiler", prog_name="netspec")
def main() -> None:
    """Compile a neural-network spec to PyTorch, Keras or ONNX: one op, one meaning."""
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
