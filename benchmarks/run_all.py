"""Runs benchmarks, each in a process of its own, keeps the results and puts their table into the README."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from paired import Result, table

HERE = Path(__file__).parent
SCRIPTS = (
    *("startup", "language", "onnx_export", "torch_speed", "ort_speed", "encoder_speed", "zoo"),
    *("int8", "optimizer_speed", "branches", "training_speed"),
)
LIBRARIES = ("pydantic", "torch", "onnx", "onnxruntime")
BEGIN, END = "<!-- results -->\n", "<!-- end of results -->\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scripts", nargs="*", metavar="SCRIPT", help="only these; the others' stay")
    parser.add_argument("--quick", action="store_true", help="see whether all run; keep nothing")
    options = parser.parse_args()
    if unknown := set(options.scripts) - set(SCRIPTS):
        parser.error(f"{', '.join(sorted(unknown))}: scripts are {', '.join(SCRIPTS)}")
    kept = HERE / "results.json"
    measured = {} if options.quick else json.loads(kept.read_text())
    for script in options.scripts or SCRIPTS:
        command = [sys.executable, str(HERE / f"{script}.py"), "--json"]
        command += ["--quick"] if options.quick else []
        found = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
        results = json.loads(found.splitlines()[-1])
        print(table([Result(**fields) for fields in results]), end="")
        measured[script] = {**describe_machine(), "results": results}
        if not options.quick:
            kept.write_text(json.dumps(measured, indent=2) + "\n")
    if not options.quick:
        show(measured)


def show(measured: dict[str, Any]) -> None:
    """Put the table into the README, and say where and when its parts were taken."""
    rows, machines = [], {}
    for script in SCRIPTS:
        if script in measured:
            machine = dict(measured[script])
            rows += [Result(**fields) for fields in machine.pop("results")]
            about = "; ".join(f"{name}: {value}" for name, value in machine.items())
            machines.setdefault(about, []).append(script)
    notes = [f"{', '.join(scripts)}: {about}" for about, scripts in machines.items()]
    readme = HERE / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    content = f"{table(rows)}\n" + "\n\n".join(notes)
    readme.write_text(f"{before}{BEGIN}{content}\n{END}{after}")


def describe_machine() -> dict[str, str]:
    """Where and with what the figures were taken."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return {
        "date": date.today().isoformat(),
        "processor": f"{processor_name()}, {os.cpu_count()} cores",
        "software": f"Python {platform.python_version()}, {libraries}",
    }


def processor_name() -> str:
    """As Linux tells it; elsewhere the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


if __name__ == "__main__":
    main()
