"""Texts that ask for too much: each is refused within a second and 200 MB, in a process of its own.

The bounds here are wider, for machines that do other work, too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS, MEGABYTES = 4.0, 220

RUN = """
import pathlib, re, sys, time
from netspec.compiler import load
from netspec.diagnostics import SpecError
from netspec.render import render
begin = time.process_time()
try:
    load(sys.argv[1])
    ids = ["none"]
except SpecError as error:
    ids = [diagnostic.id for diagnostic in error.diagnostics]
    assert len(ids) <= 20 and len(render(error.diagnostics)) < 300_000
seconds = time.process_time() - begin
status = pathlib.Path("/proc/self/status")
peak = re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1] if status.exists() else 0
print(seconds, int(peak) / 1024, *sorted(set(ids)))
"""

LAUGHS = "let a = range(100000)\nlet b = [a] * 100000\nlet c = [b] * 100000\n"
NESTED = "let x = [1] * 8\nrepeat 40 { let x = [x, x, x, x, x, x, x, x] }\n"

HOSTILE = {
    "a power": ("dense (2**2**2**30)", "over-limit"),
    "a million rounds": ("repeat 1000000 { relu }", "over-limit"),
    "almost as many rounds": ("repeat 99999 { relu }", "over-limit"),
    "rounds within rounds": ("repeat 99999 { repeat 99999 { } }", "over-limit"),
    "parentheses": ("let x = " + "(" * 100_000, "over-limit"),
    "braces": ("{" * 100_000, "over-limit"),
    "closing brackets": (")" * 100_000, "unmatched-bracket"),
    "brackets by turns": ("([{" * 20 + "}" * 100_000, "unclosed-bracket"),
    "not": ("let x = " + "not " * 100_000 + "true", "over-limit"),
    "conditionals": ("let x = " + "1 if true else " * 30_000 + "1", "over-limit"),
    "else if": ("if false { relu } " + "else if false { relu } " * 20_000, "over-limit"),
    "attributes": ("let x = @" + ".c" * 100_000, "over-limit"),
    "a block that calls itself": ("block f { f }\nf", "over-limit"),
    "a block that doubles": (
        "block f(n) { if n > 0 { f (n-1) -> f (n-1) } else { relu } }\nf 60",
        "over-limit",
    ),
    "branches that double": (
        "block f(n) { if n > 0 { add { f (n-1) | f (n-1) } } }\nf 60",
        "over-limit",
    ),
    "a list that doubles": ("let x = [1]\nrepeat 100 { let x = x + x }", "over-limit"),
    "lists deep within lists": (
        "let x = [1]\nlet y = [1]\nrepeat 5000 { let x = [x]; let y = [y] }\nlet z = x == y",
        "over-limit",
    ),
    "lists of lists, compared": (LAUGHS + "let z = c == b", "over-limit"),
    "lists of lists, to a block": (LAUGHS + "block f(x) { relu }\nf c", "over-limit"),
    "lists of lists, to an op": (LAUGHS + "conv c 3", "over-limit"),
    "lists of lists, shown": (NESTED + "let a, b = x", "wrong-count"),
    "a list to many blocks": (
        "let x = range(100000)\nblock f(x) { relu }\nrepeat 20000 { f x }",
        "over-limit",
    ),
    "a list summed again and again": (
        "let x = range(100000)\nlet y = [sum(x) for i in range(100000)]",
        "over-limit",
    ),
    "a list named again and again": (
        "let x = range(100000)\nfor i in range(100000) { let y = x }",
        "over-limit",
    ),
    "a list seen by many shared layers": (
        "@x = relu\nlet x = range(100000)\nrepeat 20000 { share f = relu }",
        "over-limit",
    ),
    "a long range": ("for i in range(10**12) { relu }", "over-limit"),
    "long ranges": ("for i in range(100000) { let x = range(100000) }", "over-limit"),
    "a table": ("let x = [[i*j for i in range(10000)] for j in range(10000)]", "over-limit"),
    "many variables in comprehensions": (
        "\n".join(f"let v{i} = 1" for i in range(20_000))
        + "\nfor i in range(100000) { let x = [i for j in [1]] }",
        "over-limit",
    ),
    "digits": ("let x = " + "1" * 1_000_000, "over-limit"),
    "digits within bounds": ("let x = " + "9" * 9_999, "over-limit"),
    "sizes": ("conv " + "1x" * 1_000_000, "bad-number"),
    "dots": ("a." * 1_000_000, "over-limit"),
    "a long label": ("a" * 1_000_000 + ": relu", "over-limit"),
    "braces that begin no label": ("b{a}" * 1_000_000, "over-limit"),
    "a label of many parts": (
        f"for i in range(100000) {{ a{{i}}{'.a' * 900}: relu }}",
        "over-limit",
    ),
    "labels that grow": (
        f"block f(n) {{ {'a' * 400}: {{ if n > 0 {{ f (n - 1) }} else {{ relu }} }} }}\nf 60",
        "over-limit",
    ),
    "a string in a label": (
        f'let s = "{"a" * 9000}"\nfor i in range(1000) {{ x{{s}}: relu }}',
        "over-limit",
    ),
    "words without end": ("let x = " + "a + " * 600_000 + "a", "over-limit"),
    "a million statements": ("relu\n" * 600_000, "over-limit"),
    "many mistakes in the text": ("conv 3, 3\n" * 50_000, "unexpected-token"),
    "many mistakes in what it says": ("relux\n" * 20_000, "unknown-op"),
    "many long names, misspelt": (
        "\n".join(f"let {'n' * 300}{i} = 1" for i in range(3000)) + f"\ndense {'n' * 300}\n" * 20,
        "unknown-name",
    ),
    "many names, misspelt": (
        "\n".join(f"let name_{i} = 1" for i in range(20_000)) + "\ndense nam_e_1 -> relu" * 20,
        "unknown-name",
    ),
    "one huge tensor": ("dense 2000000000 -> dense 2000000000", "too-large"),
    "too many parameters": ("repeat 3000 { dense 8192 }", "over-limit"),
    "too many activations": (
        "@x = input 1 65536 65536\n@x\nrepeat 3000 { relu }",
        "over-limit",
    ),
    "NUL": ("relu\0", "unknown-character"),
    "a hundred megabytes": ("a" * 100_000_000, "source-too-large"),
}


@pytest.mark.parametrize(("text", "expected"), HOSTILE.values(), ids=HOSTILE)
def test_refused_within_a_second_and_200_megabytes(
    text: str, expected: str, tmp_path: Path
) -> None:
    path = tmp_path / "hostile.net"
    path.write_text(f"input 8\n{text}")
    environment = {**os.environ, "PYDANTIC_DISABLE_PLUGINS": "__all__"}
    command = [sys.executable, "-c", RUN, str(path)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    seconds, megabytes, *ids = done.stdout.split()
    assert expected in ids
    assert float(seconds) < SECONDS
    assert float(megabytes) < MEGABYTES
