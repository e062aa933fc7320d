"""What is not imported: the front half compiles without any framework, and nothing is paid for before it is used."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest

import netspec
from netspec.cli import COMMANDS, main

HEAVY = ("keras", "numpy", "onnx", "onnxruntime", "safetensors", "tensorflow", "torch")
RESNET = "examples/resnet18.net"


def imported(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after running this code."""
    report = "import sys; print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def run(*arguments: str) -> str:
    return f"from netspec.cli import main; main({list(arguments)}, standalone_mode=False)"


THREADS = """
import sys, threading
from netspec import compile, parse
sys.setswitchinterval(1e-5)
begin = threading.Barrier(16)
done = []

def work(number):
    begin.wait()
    lines = ["conv 8 3 -> bn -> gap", "pool 2", "tokens -> attention 1", "upsample 2"]
    graph = parse("input 3 8 8\\n" + lines[number % 4])
    done.append(compile(graph, target=("torch", "keras")[number % 2]))

threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert len(done) == 16
"""


LEAVES = """
import atexit, sys, threading
from netspec.__main__ import run

def work():
    threading.main_thread().join()
    print("thread")
    atexit.register(print, "late")

{before}
sys.argv[1:] = ["check", "examples/n1.net", *{more}]
threading.Thread(target=work).start()
run()
"""


@pytest.mark.parametrize("before", ["", "atexit.register(print, 'early')"], ids=["alone", "asked"])
@pytest.mark.parametrize(("more", "code"), [([], 0), (["none.net"], 1), (["--none"], 2)], ids=str)
def test_the_process_ends_fast_and_forgets_nobody(before, more, code):
    """It frees nothing at the end; threads, and what is registered for the end, have their turn all the same."""
    done = subprocess.run(
        [sys.executable, "-c", LEAVES.format(before=before, more=more)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    told = ["thread", "late"] + ["early"] * bool(before)
    assert done.stdout.split()[-len(told) :] == told


def test_help_speaks_of_every_public_name():
    for name in netspec.__all__:
        assert re.search(rf"\b{name}s?\b", netspec.__doc__), name
        assert getattr(netspec, name).__doc__, name


def test_threads_may_be_the_first_to_ask_for_an_op_together():
    imported(THREADS)


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", RESNET),
        ("check", "--fix", "--format", "sarif", RESNET),
        ("explain", "unknown-op"),
        ("summary", RESNET),
        ("print", RESNET),
        ("compile", RESNET, "--target", "torch"),
        ("compile", RESNET, "--target", "keras"),
        ("compile", RESNET, "--target", "ir"),
        ("fmt", "--check", RESNET),
        ("schema",),
    ],
    ids=" ".join,
)
def test_the_front_half_needs_no_framework_and_no_numpy(arguments):
    found = imported(run(*arguments))
    assert {"netspec", "pydantic"} <= found
    assert not found & {*HEAVY, "lark"}


def test_passes_compute_with_numpy_and_no_framework():
    found = imported(run("compile", RESNET, "--target", "torch", "-O"))
    assert found & {*HEAVY} == {"numpy"}


def test_checking_a_clean_file_imports_no_more_than_compiling_it_and_the_rules(tmp_path):
    """What formats, configures, reports and explains is there when it is needed."""
    spec = shutil.copy(RESNET, tmp_path)  # where nothing is configured
    code = (
        f"{run('check', str(spec))}\nimport sys; print(*sys.modules, file=sys.stderr); sys.exit()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stderr.split()
    assert "netspec.lint.check" in done
    unwanted = ("format", "explain", "render", "sarif", "backend", "folder", "compiler", "schema")
    assert not {f"netspec.{name}" for name in unwanted} & set(done)
    assert not {"difflib", "email", "importlib.metadata", "tomllib"} & set(done)


def test_importing_netspec_imports_nothing_else():
    assert not imported("import netspec") & {*HEAVY, "click", "lark", "pydantic"}


def test_weights_need_no_framework():
    found = imported("import netspec\nnetspec.init_weights(netspec.load('examples/n2.net'))")
    assert found & {*HEAVY} == {"numpy"}


def test_writing_onnx_needs_neither_torch_nor_tensorflow(tmp_path):
    found = imported(
        run("compile", "examples/n2.net", "--target", "onnx", "-o", str(tmp_path / "n2.onnx"))
    )
    assert "onnx" in found
    assert not found & {"keras", "onnxruntime", "tensorflow", "torch"}


def test_pydantics_plugins_are_there_when_something_else_asks_for_them():
    """The command line does without; what is left out for that is the real module again."""
    code = f"""{run("schema")}
from pydantic.plugin import _loader
assert _loader.PYDANTIC_ENTRY_POINT_GROUP == "pydantic"
from pydantic.plugin._loader import PYDANTIC_ENTRY_POINT_GROUP
import sys
assert "importlib.metadata" in sys.modules"""
    assert "pydantic" in imported(code)


def test_naming_the_commands_imports_none_of_them():
    code = f"{run('--help')}\nimport sys; print(*sys.modules, file=sys.stderr); sys.exit()"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stderr.split()
    rooms = {name for name in done if name.startswith("netspec.")}
    assert rooms == {"netspec.cli", "netspec.cli.shared"}


def test_each_command_is_where_the_table_says():
    for name in COMMANDS:
        command = main.get_command(None, name)
        assert command is not None
        assert command.name == name
        assert command.help
