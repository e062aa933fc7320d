"""`quantize`: a network rewritten, converted, judged by its outputs, timed. Knows no framework."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from netspec.bench.engine import Arrays, write_arrays
from netspec.bench.race import Progress, Race, race
from netspec.bench.report import counted
from netspec.bench.workers import Entrant, Failed, Worker
from netspec.compiler import compile as compile_graph
from netspec.diagnostics import Diagnostic, SpecError
from netspec.ir import Graph, Output
from netspec.passes import OPTIMIZE, Model, optimize
from netspec.quantization.balance import balance, candidates
from netspec.quantization.codes import in_integers
from netspec.quantization.data import Data
from netspec.quantization.int8 import METHODS, quantize_dynamic, quantize_static
from netspec.quantization.quality import Thresholds, judge
from netspec.quantization.report import Report
from netspec.runtime import open_session
from netspec.weights import Array, Weights, np

FORMS = ("int8-static", "int8-dynamic", "fp16")
"""What a network can become."""


def quantize(
    graph: Graph,
    weights: Weights,
    calibration: Data,
    *,
    form: str = "int8-static",
    method: str = "minmax",
    reduce_range: bool = False,
    evaluation: Data | None = None,
    thresholds: Thresholds = Thresholds(),  # noqa: B008 (a NamedTuple does not change)
    batches: Sequence[int] = (1,),
    threads: int = 1,
    rounds: int = 20,
    progress: Progress = lambda _: None,
) -> Report:
    """Convert a network to one of `FORMS` as an ONNX model, and report what that saves and costs.

    `int8-static` finds the ranges of activations in the calibration data, by one of `METHODS`; `int8-dynamic` finds
    them when it runs, and leaves convolutions in float32. The conversion is compared with the network as it
    was, on ONNX Runtime, over the data for evaluation (the calibration data if there are none), and timed
    beside the optimized network in float32 in `rounds` rounds, or not at all.

    Raises `SpecError` for weights and data that do not fit.
    """
    if form not in FORMS or method not in METHODS:
        raise ValueError(f"forms are {', '.join(FORMS)}; methods are {', '.join(METHODS)}")
    progress("optimizing")
    original = to_onnx(Model(graph, weights))
    optimized = to_onnx(optimize(graph, weights))
    progress(f"converting to {form}")
    if form == "fp16":
        from netspec.quantization.half import to_half

        content = to_half(optimized)
    elif form == "int8-dynamic":
        content = quantize_dynamic(optimized, reduce_range=reduce_range)
    else:
        rewritten = for_int8(graph, weights)
        rewritten = balance(rewritten, peaks(rewritten, calibration))
        examples = calibration.batches(alike=True)
        content = in_integers(
            quantize_static(to_onnx(rewritten), examples, method=method, reduce_range=reduce_range)
        )
    data = calibration if evaluation is None else evaluation
    progress(f"comparing on {data.examples} examples")
    before, after = _outputs({"float32": original, form: content}, data, threads)
    findings = judge(graph, before, after, data.labels, thresholds)
    done = Race((), ())
    if rounds:
        models = {"float32": optimized, form: content}
        done = _timed(models, data.inputs, batches, threads, rounds, progress)
    return Report(
        network=graph.name,
        form=form,
        about=_about(form, method, calibration.examples),
        content=content,
        size_before=len(original),
        examples=data.examples,
        findings=findings,
        rows=done.rows,
        faults=done.faults,
    )


def for_int8(graph: Graph, weights: Weights) -> Model:
    """The network as it is fastest in INT8: without batch norms, which would be computed in float32 there."""
    wide = {name: array.astype(np.float64) for name, array in weights.items()}
    passes = (*OPTIMIZE, "scale-forward", "channel-clamp", "constant-map")
    model = optimize(graph, wide, passes)
    return optimize(model.graph, model.weights, ["norm-as-conv"])


def peaks(model: Model, data: Data) -> dict[str, Array]:
    """The greatest magnitude of each channel of the activations that may be balanced, over the data."""
    nodes = candidates(model.graph)
    if not nodes:
        return {}
    outputs = tuple(Output(name=f"peak{i}", node=node.name) for i, node in enumerate(nodes))
    shown = model.graph.model_copy(update={"outputs": outputs})
    session = open_session(to_onnx(Model(shown, model.weights)))
    found = {node.name: np.zeros(node.shape.axis("c")) for node in nodes}
    for batch in data.batches():
        for node, values in zip(nodes, session.run(batch).values(), strict=True):
            others = [0, *(1 + i for i, axis in enumerate(node.shape.axes) if axis != "c")]
            peak = np.abs(values).max(axis=tuple(others))
            found[node.name] = np.maximum(found[node.name], peak)
    return found


def to_onnx(model: Model) -> bytes:
    """The model as a file."""
    return compile_graph(model.graph, target="onnx", weights=model.weights).content


def _about(form: str, method: str, count: int) -> str:
    """A form in words."""
    return {
        "int8-static": f"INT8, ranges of activations from {counted(count, 'example')} ({method})",
        "int8-dynamic": "INT8 weights of dense layers and LSTMs, ranges found at run time",
        "fp16": "float16",
    }[form]


def _outputs(models: Mapping[str, bytes], data: Data, threads: int) -> list[Arrays]:
    """What each model makes of all the data, in a process of its own: some crash ONNX Runtime."""
    with TemporaryDirectory(prefix="netspec-quantize-") as name:
        home = Path(name)
        count = 0
        for count, batch in enumerate(data.batches(), start=1):
            write_arrays(home / f"feeds.{count}.npz", batch)
        return [_answers(each, home, count, threads) for each in _entrants(models, home)]


def _answers(entrant: Entrant, home: Path, count: int, threads: int) -> Arrays:
    try:
        with Worker(entrant, home, threads) as worker:
            worker.wait()
            found = [worker.answer(number) for number in range(1, count + 1)]
    except Failed as failed:
        message = f"ONNX Runtime cannot run the network as {entrant.name}: {failed}"
        last = failed.stderr.splitlines()[-1:]
        raise SpecError(Diagnostic("bad-model", message, help=last[0] if last else None)) from None
    return {name: np.concatenate([each[name] for each in found]) for name in found[0]}


def _entrants(models: Mapping[str, bytes], folder: Path) -> Iterator[Entrant]:
    """The models as files in a folder."""
    for name, content in models.items():
        path = folder / f"{name}.onnx"
        path.write_bytes(content)
        yield Entrant(name, "netspec.bench.files", "ort", path)


def _timed(
    models: Mapping[str, bytes],
    inputs: Arrays,
    batches: Sequence[int],
    threads: int,
    rounds: int,
    progress: Progress,
) -> Race:
    """The models side by side on examples of the data. Their answers have been judged."""
    feeds = {
        batch: {name: np.take(a, range(batch), axis=0, mode="wrap") for name, a in inputs.items()}
        for batch in batches
    }
    with TemporaryDirectory(prefix="netspec-quantize-") as name:
        return race(
            list(_entrants(models, Path(name))),
            feeds,
            judge=lambda *_: None,
            threads=threads,
            rounds=rounds,
            progress=progress,
        )
