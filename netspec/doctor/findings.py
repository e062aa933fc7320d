"""What the probes' answers mean: which target works, what is in the way, and the command that mends it."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from typing import Literal, NamedTuple, TypeAlias

from netspec.doctor.asking import LIMIT, Answer, ask

State: TypeAlias = Literal["ok", "absent", "warning", "broken"]

DISTRIBUTION = "netspec-compiler"

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "weights": ("numpy", "safetensors"),
    "torch": ("torch",),
    "keras": ("keras", "tensorflow"),
    "onnx": ("onnx",),
    "ort": ("onnxruntime",),
    "images": ("pillow",),
}
"""Of each extra the packages that it brings, besides those of other extras. `ort-gpu` takes the place of `ort`."""

_PROBED = {"torch": "torch", "keras": "keras", "onnx": "onnx", "ort": "onnxruntime"}
_CUDA = "CUDAExecutionProvider"
_GPU_WHEEL = "onnxruntime-gpu"


class Finding(NamedTuple):
    """One line: what was looked at, how it is, and the command that mends it, if any."""

    part: str
    state: State
    text: str
    cure: str | None = None


def examine(limit: float = LIMIT) -> list[Finding]:
    """Everything that doctor looks at; takes as long as the slowest framework's import."""
    runtimes = owners("onnxruntime")
    called = {name: name for names in PACKAGES.values() for name in names}
    called |= {"onnxruntime": (*runtimes, "onnxruntime")[0]}
    called |= {"tensorflow": (*owners("tensorflow"), "tensorflow")[0]}
    installed = {name: _version(distribution) for name, distribution in called.items()}
    usable = [probe for extra, probe in _PROBED.items() if all(map(installed.get, PACKAGES[extra]))]
    answers = ask(usable, limit)
    runtime = answers.get("onnxruntime")
    providers = runtime["providers"] if isinstance(runtime, dict) else []
    works = ask(providers, limit)
    gpu = has_device()
    return [
        Finding("python", "ok", f"{platform.python_version()} on {platform.platform()}"),
        Finding("netspec", "ok", _version(DISTRIBUTION) or "run from its source, not installed"),
        Finding("gpu", "ok", "an NVIDIA device is there" if gpu else "no NVIDIA device is there"),
        *(each for extra in PACKAGES for each in _extra(extra, installed, called, answers, gpu)),
        *_clash(runtimes),
        *_runtime(providers, works, runtimes, gpu),
        *_formats(answers, called["onnxruntime"]),
    ]


def healthy(findings: Iterable[Finding]) -> bool:
    """Whether nothing that is installed is broken; what is absent is no fault."""
    return not any(each.state == "broken" for each in findings)


def to_table(findings: Sequence[Finding]) -> str:
    """The findings for a reader, each cure below its finding."""
    width = max(len(each.part) for each in findings)
    lines = []
    for part, state, text, cure in findings:
        lines.append(f"{part:<{width}}  {state:<7}  {text}")
        if cure is not None:
            lines.append(f"{'':<{width}}  {'':<7}    $ {cure}")
    return "\n".join(lines)


def to_json(findings: Sequence[Finding]) -> str:
    """The findings for a program."""
    report = {"ok": healthy(findings), "findings": [each._asdict() for each in findings]}
    return json.dumps(report, indent=2)


def has_device() -> bool:
    """Whether an NVIDIA driver has made a device."""
    return os.path.exists("/dev/nvidia0")


def owners(module: str) -> list[str]:
    """The distributions that have files of a module: two of them have overwritten each other's."""
    return sorted(set(metadata.packages_distributions().get(module, ())))


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def install(extra: str) -> str:
    """The command that brings an extra."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def least(requirements: Iterable[str], name: str) -> tuple[int, ...] | None:
    """The least version of a package that requirements such as `torch>=2.5; extra == "torch"` ask for."""
    for line in requirements:
        if found := re.match(rf"{re.escape(name)}\b[^;]*>=\s*([\d.]+)", line, re.I):
            return numbers(found[1])
    return None


def numbers(version: str) -> tuple[int, ...]:
    """The numbers in front of a version: `2.13.0+cpu` is 2, 13, 0."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()


def _extra(
    extra: str,
    installed: Mapping[str, str | None],
    called: Mapping[str, str],
    answers: Mapping[str, Answer],
    gpu: bool,
) -> Iterator[Finding]:
    """What there is of an extra; packages are `called` as the distributions that hold them: `tensorflow-cpu`."""
    names = PACKAGES[extra]
    missing = [name for name in names if installed[name] is None]
    if missing:
        yield Finding(extra, "absent", f"{' and '.join(missing)} not installed", install(extra))
        return
    said = ", ".join(f"{called[name]} {installed[name]}" for name in names)
    try:
        asked = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        asked = []
    for name in names:
        wanted, version = least(asked, name), installed[name]
        assert version is not None
        if wanted is not None and numbers(version) < wanted:
            text = f"{called[name]} {version} is older than {'.'.join(map(str, wanted))}"
            yield Finding(extra, "broken", text, f"pip install --upgrade {called[name]}")
            return
    answer = answers.get(_PROBED.get(extra, ""), {})
    if isinstance(answer, str):
        cure = f"pip install --force-reinstall {' '.join(called[name] for name in names)}"
        yield Finding(extra, "broken", f"{said}: {answer}", cure)
        return
    yield Finding(
        extra, "ok", said + (f", backend {answer['backend']}" if "backend" in answer else "")
    )
    if "gpus" in answer:
        framework = answer.get("backend", extra)
        yield _devices(extra, answer["gpus"], gpu, framework, called.get(framework, framework))


def _devices(
    extra: str, gpus: Sequence[str], there: bool, framework: str, distribution: str
) -> Finding:
    """What a framework sees of the machine's GPU."""
    if gpus:
        return Finding(f"{extra} gpu", "ok", ", ".join(gpus))
    if not there:
        return Finding(f"{extra} gpu", "ok", "computes on the CPU")
    cures = {
        "torch": "pip install --force-reinstall torch --index-url https://download.pytorch.org/whl/cu130",
        "tensorflow": "pip install 'tensorflow[and-cuda]'",
        "jax": "pip install 'jax[cuda13]'",
    }
    text, cure = f"{framework} does not see the device", cures.get(framework)
    if cure is not None and distribution != framework:  # which is built without it
        cure = f"pip uninstall -y {distribution} && {cure}"
    return Finding(f"{extra} gpu", "warning", text, cure)


def _clash(runtimes: Sequence[str]) -> Iterator[Finding]:
    if len(runtimes) > 1:
        kept = _GPU_WHEEL if _GPU_WHEEL in runtimes else runtimes[0]
        text = f"{' and '.join(runtimes)} are installed together: they overwrite each other's files"
        cure = f"pip uninstall -y {' '.join(runtimes)} && pip install {kept}"
        yield Finding("ort wheels", "broken", text, cure)


def _runtime(
    providers: Sequence[str], answers: Mapping[str, Answer], runtimes: Sequence[str], gpu: bool
) -> Iterator[Finding]:
    """Every provider that ONNX Runtime was built with, as a session found it."""
    for name in providers:
        answer, part = answers[name], f"ort {name.removesuffix('ExecutionProvider').lower()}"
        reason = answer if isinstance(answer, str) else answer.get("reason")
        if isinstance(answer, dict) and answer["works"]:
            yield Finding(part, "ok", "a session starts and computes")
        elif name == _CUDA:
            cure = "pip install 'onnxruntime-gpu[cuda,cudnn]'"
            yield Finding(part, "broken", f"no session starts: {reason}", cure)
        else:
            yield Finding(part, "warning", f"no session starts: {reason}")
    if providers and _CUDA not in providers:
        text = f"{' and '.join(runtimes)} is built without CUDA"
        cure = f"pip uninstall -y {' '.join(runtimes)} && {install('ort-gpu')}"
        yield (
            Finding("ort cuda", "warning", text, cure)
            if gpu
            else Finding("ort cuda", "absent", text)
        )


def _formats(answers: Mapping[str, Answer], runtime: str) -> Iterator[Finding]:
    """What is written and what is loaded: operator sets, and versions of the file format."""
    from netspec.backends.onnx.rows import DEFAULT_OPSET, IR_VERSIONS

    onnx, ort = answers.get("onnx"), answers.get("onnxruntime")
    if not isinstance(onnx, dict):
        return
    newest = min(max(IR_VERSIONS), onnx["opset"])
    text = f"written: opset {DEFAULT_OPSET}, IR {IR_VERSIONS[DEFAULT_OPSET]}; "
    text += f"--opset takes {min(IR_VERSIONS)} to {newest}"
    if not isinstance(ort, dict) or "opset" not in ort:
        yield Finding("opset", "ok", text)
        return
    text += f"; onnxruntime {ort['version']} loads up to opset {ort['opset']}, IR {ort['ir']}"
    if ort["opset"] < DEFAULT_OPSET or ort["ir"] < IR_VERSIONS[DEFAULT_OPSET]:
        yield Finding("opset", "broken", text, f"pip install --upgrade {runtime}")
    elif ort["opset"] < newest:
        yield Finding("opset", "warning", f"{text}: stay at --opset {ort['opset']} or below")
    else:
        yield Finding("opset", "ok", text)
