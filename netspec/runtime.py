"""Runs any ONNX model through ONNX Runtime, and says where it ran. Knows nothing of specs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from weakref import finalize

from netspec.backend import need
from netspec.diagnostics import Diagnostic, SpecError, did_you_mean
from netspec.profiling import Profile, read_profile
from netspec.weights import Array

if TYPE_CHECKING:
    import numpy as np
else:
    np = need("numpy", "ort")

ort = need("onnxruntime", "ort")

Provider = Literal["cpu", "cuda", "auto"]

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_FATAL = 4
BATCH = "N"
"""The letter of a batch of any size."""
_WORDS = {"float": "float32", "double": "float64"}


class ProviderUnavailable(Exception):
    """The provider asked for cannot run here; `diagnostic` says why and what to install."""

    def __init__(self, reason: str, cure: str) -> None:
        super().__init__(reason)
        self.diagnostic = Diagnostic("provider-unavailable", reason, help=cure)


class InputSpec(NamedTuple):
    """An input of a model: its name, its dtype, and a size, a letter or None for each axis."""

    name: str
    dtype: str
    sizes: tuple[int | str | None, ...]


class Runner:
    """An open session. `provider` is `cpu` or `cuda`; `note` says why `auto` did not take CUDA."""

    def __init__(self, session: Any, provider: str, note: str | None = None) -> None:
        self.session = session
        self.provider = provider
        self.note = note
        self.inputs = tuple(_describe(given) for given in session.get_inputs())
        self.outputs = tuple(output.name for output in session.get_outputs())

    def run(
        self, inputs: Mapping[str, Array] | Array, batch: int | None = None
    ) -> dict[str, Array]:
        """Outputs by name. A bare array serves a model with one input; the batch axis comes first.

        With `batch` so many rows run at a time, and the results are joined: all outputs must have a value for each row.
        A model that takes only that many gets the last rows filled up.

        Floats are cast to the input's own float type. Whole numbers and booleans are cast where
        the input's type holds every number of that size (up to 2**24 for float32); an integer input
        takes no floats. Raises one `SpecError` for all that is wrong with the arrays.
        """
        fixed = batch is not None and all(spec.sizes[:1] == (batch,) for spec in self.inputs)
        feeds = self._fit(inputs, fixed)
        rows = next((len(array) for array in feeds.values() if array.ndim), 0)
        if batch is None or not rows:
            return self._results(feeds)
        parts = []
        for start in range(0, rows, batch):
            stop = min(start + batch, rows)
            parts.append(self._part(feeds, start, stop, start + batch - stop if fixed else 0))
        return {name: np.concatenate([part[name] for part in parts]) for name in self.outputs}

    def end_profile(self) -> Profile:
        """Where the time of all runs went. The session must have been opened with `profile`, and runs no more."""
        return read_profile(self.session.end_profiling())

    def _results(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        try:
            values = self.session.run(None, feeds)
        except _errors() as error:
            reason = str(error).split(" : ", 2)[-1]
            raise SpecError(Diagnostic("failed-run", f"ONNX Runtime stopped: {reason}")) from None
        return dict(zip(self.outputs, values, strict=True))

    def _part(
        self, feeds: Mapping[str, Array], start: int, stop: int, missing: int
    ) -> dict[str, Array]:
        """What some of the rows give, the last of them repeated for the missing ones."""
        some = {
            name: np.concatenate([array[start:stop], *[array[stop - 1 : stop]] * missing])
            if array.ndim
            else array
            for name, array in feeds.items()
        }
        found = self._results(some)
        for name, array in found.items():
            if array.shape[:1] != (stop - start + missing,):
                message = f"`{name}` has not one value for each row, so runs cannot be joined"
                raise SpecError(Diagnostic("not-by-row", message, help="leave --batch out"))
        return {name: array[: stop - start] for name, array in found.items()}

    def _fit(self, inputs: Mapping[str, Array] | Array, any_batch: bool) -> dict[str, Array]:
        wanted = {spec.name: spec for spec in self.inputs}
        if any_batch:
            wanted = {n: s._replace(sizes=(BATCH, *s.sizes[1:])) for n, s in wanted.items()}
        if not isinstance(inputs, Mapping):
            if len(wanted) != 1:
                names = ", ".join(f"`{name}`" for name in wanted)
                raise SpecError(
                    Diagnostic(
                        "unnamed-input",
                        f"the model takes {len(wanted)} inputs: name the array ({names})",
                    )
                )
            inputs = {next(iter(wanted)): inputs}
        mistakes = list(_misnamed(wanted, inputs))
        feeds: dict[str, Array] = {}
        seen: dict[str, tuple[int, str]] = {}
        for name, spec in wanted.items():
            if name in inputs:
                array = np.asarray(inputs[name])
                mistakes.extend(_misshapen(spec, array, seen))
                try:
                    feeds[name] = _cast(spec, array)
                except SpecError as error:
                    mistakes.extend(error.diagnostics)
        if mistakes:
            raise SpecError(*mistakes)
        return feeds


def open_session(
    model: bytes | Path | str,
    provider: Provider = "cpu",
    seed: int | None = None,
    threads: int = 0,
    profile: bool = False,
) -> Runner:
    """A session over a serialized model or a file.

    `seed` repeats what its ops draw at random; ONNX Runtime keeps it for the sessions that follow. An op runs
    on so many `threads`; 0 stands for the number of cores. With `profile` each node's time is measured.

    `cuda` raises `ProviderUnavailable` unless the session really holds CUDA; `auto` tries CUDA and
    falls back to the CPU. Raises `SpecError` for what is not a model that ONNX Runtime can load.
    """
    content = model if isinstance(model, bytes) else _path(model)
    if seed is not None:
        ort.set_seed(seed)
    if not profile:
        return _open(content, provider, _options(threads))
    with ExitStack() as stack:
        kept = TemporaryDirectory(prefix="netspec-", ignore_cleanup_errors=True)
        runner = _open(content, provider, _options(threads, stack.enter_context(kept)))
        # ONNX Runtime writes the profile when the session goes, too.
        finalize(runner, stack.pop_all().close)
    return runner


def _open(content: bytes | str, provider: Provider, options: Any) -> Runner:
    if provider == "cpu":
        return Runner(_create(content, _CPU, options), "cpu")
    try:
        return Runner(_create_on_cuda(content, options), "cuda")
    except ProviderUnavailable as error:
        if provider == "cuda":
            raise
        return Runner(_create(content, _CPU, options), "cpu", str(error))


def _path(model: Path | str) -> str:
    try:
        Path(model).open("rb").close()
    except OSError as error:
        raise SpecError(
            Diagnostic("unreadable-file", f"cannot read {model}: {error.strerror}")
        ) from None
    return str(model)


def _options(threads: int, profiles: str | None = None) -> Any:
    """A session that logs nothing, and writes its profile to a folder, if there is one."""
    options = ort.SessionOptions()
    options.log_severity_level = _FATAL
    options.intra_op_num_threads = threads
    if profiles is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(profiles, "profile"))
    return options


def _create(model: bytes | str, provider: str, options: Any) -> Any:
    """An `InferenceSession` without the fallback, which it would print on stdout."""
    try:
        return ort.InferenceSession(model, options, providers=[provider], enable_fallback=0)
    except _errors() as error:
        origin = "the model" if isinstance(model, bytes) else model
        reason = str(error).split(" : ")[-1]
        raise SpecError(
            Diagnostic("bad-model", f"ONNX Runtime cannot load {origin}: {reason}")
        ) from None


def _errors() -> tuple[type[Exception], ...]:
    state = ort.capi.onnxruntime_pybind11_state
    names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoSuchFile")
    return tuple(getattr(state, name) for name in (*names, "NotImplemented", "RuntimeException"))


def _create_on_cuda(model: bytes | str, options: Any) -> Any:
    """A session that has CUDA, which is 'available' on a machine without a device, too."""
    version = f"ONNX Runtime {ort.__version__}"
    if _CUDA not in ort.get_available_providers():
        raise ProviderUnavailable(
            f"the installed {version} is built without CUDA",
            "pip uninstall onnxruntime && pip install 'netspec-compiler[ort-gpu]' "
            "(onnxruntime and onnxruntime-gpu cannot be installed together)",
        )
    ort.set_default_logger_severity(_FATAL)
    with redirect_stdout(StringIO()):  # it prints what it does not find
        ort.preload_dlls()
    try:
        session = _create(model, _CUDA, options)
        reason = "no device, or no driver and libraries for it"
    except RuntimeError as error:
        session = None
        found = re.search(r"CUDA failure \d+: [^;]*[^; ]", str(error))
        reason = found[0] if found else str(error)
    if session is None or _CUDA not in session.get_providers():
        raise ProviderUnavailable(
            f"{version} could not start CUDA: {reason}",
            "onnxruntime-gpu 1.31 needs an NVIDIA driver, CUDA 13 and cuDNN 9: "
            "pip install 'onnxruntime-gpu[cuda,cudnn]', and `nvidia-smi` must list a device",
        )
    return session


def _describe(given: Any) -> InputSpec:
    word = given.type.removeprefix("tensor(").removesuffix(")")
    return InputSpec(given.name, _WORDS.get(word, word), tuple(given.shape))


def _misnamed(wanted: Mapping[str, InputSpec], inputs: Mapping[str, Array]) -> Iterator[Diagnostic]:
    for name, spec in wanted.items():
        if name not in inputs:
            yield Diagnostic(
                "missing-input", f"the input `{name}` ({_sizes(spec.sizes)}) is not given"
            )
    for name in inputs:
        if name not in wanted:
            known = f"the inputs are {', '.join(f'`{each}`' for each in wanted)}"
            yield Diagnostic(
                "unknown-input",
                f"the model has no input `{name}`",
                help=did_you_mean(name, wanted) or known,
            )


def _misshapen(
    spec: InputSpec, array: Array, seen: dict[str, tuple[int, str]]
) -> Iterator[Diagnostic]:
    """What is wrong with a shape; `seen` keeps what each letter stood for in the inputs before."""
    if len(array.shape) != len(spec.sizes):
        yield Diagnostic(
            "wrong-input-rank",
            f"`{spec.name}` takes {_sizes(spec.sizes)}, got {_sizes(array.shape)}",
            help="the first axis counts the examples: `x[None]` makes a batch of one"
            if len(array.shape) == len(spec.sizes) - 1
            else None,
        )
        return
    for size, want in zip(array.shape, spec.sizes, strict=True):
        if isinstance(want, int) and size != want:
            yield Diagnostic(
                "wrong-input-size",
                f"`{spec.name}` takes {_sizes(spec.sizes)}, got {_sizes(array.shape)}",
            )
            return
        if isinstance(want, str) and (known := seen.setdefault(want, (size, spec.name)))[0] != size:
            yield Diagnostic(
                "unequal-inputs",
                f"`{spec.name}` has {size} along {want}, but `{known[1]}` has {known[0]}",
            )


def _sizes(sizes: tuple[int | str | None, ...]) -> str:
    return " x ".join("?" if size is None else str(size) for size in sizes) or "a single number"


def _cast(spec: InputSpec, array: Array) -> Array:
    """The array in the input's type; raises `SpecError` where its numbers would not survive."""
    try:
        wanted = np.dtype(spec.dtype)
    except TypeError:
        raise SpecError(
            Diagnostic(
                "unsupported-input",
                f"`{spec.name}` takes {spec.dtype}, which NumPy has no type for",
            )
        ) from None
    if array.dtype == wanted:
        return array
    if array.dtype.kind not in ("biuf" if wanted.kind == "f" else "biu"):
        message = f"`{spec.name}` takes {wanted}, got {array.dtype}"
        raise SpecError(Diagnostic("wrong-input-type", message))
    with np.errstate(over="ignore"):  # what overflows is found below
        cast = array.astype(wanted)
    if array.dtype.kind == "f":
        survives = bool((np.isfinite(cast) == np.isfinite(array)).all())
    else:
        low, high = _whole_range(wanted)
        survives = not array.size or low <= int(array.min()) <= int(array.max()) <= high
    if not survives:
        message = (
            f"`{spec.name}` takes {wanted}, which does not hold all of the {array.dtype} given"
        )
        raise SpecError(Diagnostic("inexact-input", message))
    return cast


def _whole_range(dtype: np.dtype[Any]) -> tuple[int, int]:
    """The bounds between which a dtype holds every whole number."""
    if dtype.kind == "f":
        bound = 2 ** (np.finfo(dtype).nmant + 1)
        return -bound, bound
    if dtype.kind == "b":
        return 0, 1
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)
