"""How long `netspec compile` and `check` take as whole processes, against importing what they stand on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from paired import Result, main, paired, processor, spend

RESNET = str(Path(__file__).parent.parent / "examples" / "resnet18.net")
FIFTY_LINES = str(Path(__file__).parent / "fifty_lines.net")
COMMAND = str(Path(sys.executable).with_name("netspec"))
NETSPEC = [COMMAND, "compile", RESNET, "--target", "torch"]
IMPORTS = [sys.executable, "-c", "import lark, click; from pydantic import BaseModel"]
HEAVY = {"keras", "numpy", "onnx", "onnxruntime", "tensorflow", "torch"}
LOADED = (
    "import sys; from netspec.cli import main\n"
    f"main({NETSPEC[1:]}, standalone_mode=False)\n"
    f"print(len({HEAVY} & sys.modules.keys()), file=sys.stderr)"
)


def measure(quick: bool) -> list[Result]:
    ratio = paired(
        "`netspec compile resnet18.net --target torch` / `import lark, click, pydantic`, processor time",
        processor(NETSPEC),
        processor(IMPORTS),
        pairs=3 if quick else 101,
        highest=1.6,
    )
    with TemporaryDirectory() as folder:  # where no `[tool.netspec]` is read, as in this repository
        spec = shutil.copy(FIFTY_LINES, folder)
        check = paired(
            "`netspec check` of 50 lines / `import lark, click, pydantic`, processor time",
            processor([COMMAND, "check", spec]),
            processor(IMPORTS),
            pairs=3 if quick else 101,
            highest=1.3,
        )
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True
    )
    return [
        ratio,
        check,
        Result(
            "peak memory of `netspec compile`", spend(NETSPEC).ru_maxrss / 1024, "MiB", highest=60
        ),
        Result("frameworks it imports, NumPy included", int(done.stderr), "", highest=0),
    ]


if __name__ == "__main__":
    main(measure)
