"""Every example through the command line to every target, in one process: most of a process would be its start."""

from __future__ import annotations

import sys
from pathlib import Path

from netspec.cli import main

TARGETS = ("torch", "keras", "onnx", "ir")


def compile_examples(folder: Path) -> None:
    """Write each example for each target into `folder`; a command that fails ends the process with its exit code."""
    for spec in sorted(Path("examples").glob("*.net")):
        size = ["--input", "3x32x32"] if spec.stem == "line" else []
        for target in TARGETS:
            written = folder / f"{spec.stem}.{target}.out"
            command = ["compile", str(spec), "--target", target, *size, "-o", str(written)]
            main(command, standalone_mode=False)
            assert written.stat().st_size
            written.unlink()
        print(f"{spec.stem}: {', '.join(TARGETS)}")


if __name__ == "__main__":
    compile_examples(Path(sys.argv[1]))
