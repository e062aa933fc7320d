"""The `verify` pipeline: what is compared with what. Knows no framework and no file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from math import inf

from netspec.backend import TARGETS, load_backend
from netspec.diagnostics import Diagnostic, SpecError
from netspec.feeds import draw
from netspec.ir import Graph
from netspec.parity.compare import check_predictions, check_step
from netspec.parity.diverge import Divergence, expose, expose_exercise, first_wrong
from netspec.parity.exchange import Answer, Arrays, Exercise, Task
from netspec.parity.limits import Limits
from netspec.parity.report import Report, Row, Skipped
from netspec.parity.runner import Crash, Job, run_jobs
from netspec.passes import optimize
from netspec.sizes import bind, propose
from netspec.weights import Weights, check_weights, np, random_weights

TRAINING_BATCH = 7
PRECISIONS = ("float32", "float64")

_NEEDS = {
    "torch": {"torch": "torch"},
    "keras": {"keras": "keras", "tensorflow": "keras"},
    "onnx": {"onnx": "ort", "onnxruntime": "ort"},
}
"""For each target the modules that its session needs, and the extra that brings them."""

_ORACLE = Job("reference", "float64")
_ROUNDED = Job("reference", "float32")
_TORCH = Job("torch", "float32")


def verify(
    graph: Graph,
    *,
    weights: Weights | None = None,
    targets: str | Sequence[str] | None = None,
    batches: Sequence[int] = (1, 2, 7),
    precisions: Sequence[str] = PRECISIONS,
    seed: int = 0,
    passes: Sequence[str] = (),
) -> Report:
    """Run a network on every target, in processes of their own, against the float64 reference.

    Weights are rounded to float32; where none are given they are drawn as a trained network has
    them, and inputs from a normal distribution. `targets` are one or several, or all that are
    installed and can realise the graph. Inference is compared at each of `batches`, one training step at 7. With
    `passes` the targets get the graph as these rewrite it, are held to the graph as it was, and do
    not train; beside that stands what they make of the graph as it was.

    Raises `SpecError` for weights that do not fit, and for a target that is named and is unknown,
    not installed or cannot realise the graph.
    """
    if not batches or min(batches) < 1 or not precisions or not set(precisions) <= set(PRECISIONS):
        raise ValueError("verify needs batches of 1 or more, and precisions of float32 and float64")
    given = random_weights(graph, seed) if weights is None else weights
    check_weights(graph, given)
    weights = {name: array.astype(np.float32) for name, array in given.items()}
    exercise, sizes = _draw(graph, batches, seed, train=not (passes or graph.inference_only))
    task = original = _task(graph, weights, exercise)
    if passes:
        task = _task(graph, weights, exercise, passes)
    named = [targets] if isinstance(targets, str) else targets
    chosen, skipped = _choose(task.graph, named)
    jobs = [Job(target, precision) for target in chosen for precision in precisions]
    trusted = [_ORACLE, *_yardsticks(graph, precisions)]
    answers = run_jobs(task, jobs if passes else [*trusted, *jobs])
    yardsticks = answers
    if passes:
        able = [job for job in jobs if _can_run(graph, job.target)]
        yardsticks = run_jobs(original, [*trusted, *able])
    truth = _answer(yardsticks, _ORACLE)
    limits = _limits(graph, yardsticks, truth)
    rows: list[Row] = []
    crashes: list[Crash] = []
    for job in jobs:
        answer = answers[job]
        if isinstance(answer, Crash):
            crashes.append(answer)
            continue
        found = _rows(job, answer, truth, limits)
        if passes and isinstance(plain := yardsticks.get(job), Answer):
            found = _beside(found, _rows(job, plain, truth, limits), answer, plain)
        rows += found
        if truth.step is not None and answer.step is None:
            skipped.append(Skipped(job.target, "its training step", "the target does not train"))
    return Report(
        network=graph.name,
        fingerprint=graph.fingerprint,
        batches=tuple(batches),
        sizes=sizes,
        seed=seed,
        passes=tuple(passes),
        rows=tuple(rows),
        crashes=tuple(crashes),
        divergences=tuple(_locate(task, row, batches) for row in _clearest_failures(rows)),
        skipped=tuple(dict.fromkeys(skipped)),
        versions=_versions(chosen),
    )


def _rows(job: Job, answer: Answer, truth: Answer, limits: Limits) -> Iterator[Row]:
    """Inference at all batches, and the training step where there is one."""
    predicted = check_predictions(
        answer.predictions, truth.predictions, lambda name: limits.output(job, name)
    )
    yield Row(*job, "eval", tuple(predicted))
    if answer.step is not None and truth.step is not None:
        trained = check_step(answer.step, truth.step, lambda quantity: limits.step(job, quantity))
        yield Row(*job, "train", tuple(trained))


def _beside(
    rows: Iterable[Row], plain_rows: Iterable[Row], answer: Answer, plain: Answer
) -> Iterator[Row]:
    """The rows of the rewritten network with those of the network as it was, and what both differ by."""
    for row, without in zip(rows, plain_rows, strict=True):
        moved = check_predictions(answer.predictions, plain.predictions, lambda _: inf)
        yield row._replace(without=without.checks, moved=tuple(moved))


def _clearest_failures(rows: Iterable[Row]) -> list[Row]:
    """One failure of each target: inference before training, float64 (no rounding) first."""
    clear = sorted(rows, key=lambda row: (row.mode, row.precision == "float32"))
    failed = {row.target: row for row in reversed(clear) if not row.passed}
    return list(failed.values())


def _locate(task: Task, row: Row, batches: Sequence[int]) -> Divergence:
    """Run the network once more, with the result of every layer in sight."""
    about = (row.target, row.precision, row.mode)
    job = Job(row.target, row.precision)
    graph = expose(task.graph)
    failed = [check.batch for check in row.checks if not check.passed and row.mode == "eval"]
    chosen = batches.index(min(failed)) if failed else 0
    exercise = expose_exercise(task.graph, task.exercise, chosen)
    answers = run_jobs(
        Task(graph, task.weights, exercise), [_ORACLE, job, *_yardsticks(graph, [row.precision])]
    )
    truth, answer = _answer(answers, _ORACLE), answers[job]
    if isinstance(answer, Crash):
        last = answer.stderr.splitlines()[-1:] or [answer.ending]
        return Divergence(*about, explanation=f"cannot show its layers: {last[0]}")
    limits = _limits(graph, answers, truth)
    checks = [
        check
        for again in _rows(job, answer, truth, limits)
        if again.mode == row.mode
        for check in again.checks
    ]
    if (wrong := first_wrong(graph, checks)) is None:
        return Divergence(
            *about, explanation="every layer is right; the blocks are put together wrongly"
        )
    return Divergence(*about, *wrong)


def _versions(targets: Iterable[str]) -> dict[str, str]:
    """Of NumPy and all that the targets run on, by module."""
    modules = ["numpy", *(module for target in targets for module in _NEEDS.get(target, {}))]
    owners = packages_distributions()
    return {module: version(owners[module][0]) for module in modules if module in owners}


def _draw(
    graph: Graph, batches: Sequence[int], seed: int, *, train: bool
) -> tuple[Exercise, tuple[Mapping[str, int], ...]]:
    """Float32 numbers and tokens, so that every precision is given the same, and what unknown sizes are in each run.

    Those are drawn anew for each batch, and for the training step.
    """
    generator = np.random.default_rng(seed)
    runs = len(batches) + train
    sizes = tuple(
        propose(graph, lambda low, high: int(generator.integers(low, high))) for _ in range(runs)
    )
    sized = [bind(graph, each) for each in sizes]

    def feeds(own: Graph, batch: int) -> Arrays:
        return {node.name: draw(own, node, batch, generator) for node in own.inputs}

    predictions = tuple(feeds(own, batch) for own, batch in zip(sized, batches, strict=False))
    if not train:
        return Exercise(predictions), sizes
    step = feeds(sized[-1], TRAINING_BATCH)
    cotangents = {
        output.name: generator.standard_normal(
            (TRAINING_BATCH, *sized[-1].by_name[output.node].shape.sizes), np.float32
        )
        for output in graph.outputs
    }
    return Exercise(predictions, step, cotangents), sizes


def _task(graph: Graph, weights: Weights, exercise: Exercise, passes: Sequence[str] = ()) -> Task:
    """The passes compute in float64, and each precision gets what they give, rounded once."""
    model = optimize(graph, {n: a.astype(np.float64) for n, a in weights.items()}, passes)
    exact = model.weights or {}
    kept = {p: {name: array.astype(p) for name, array in exact.items()} for p in PRECISIONS}
    return Task(model.graph, kept, exercise)


def _choose(graph: Graph, targets: Sequence[str] | None) -> tuple[list[str], list[Skipped]]:
    """The targets to run. What cannot be run is an error where it was named, else left out."""
    chosen: list[str] = []
    skipped: list[Skipped] = []
    for target in dict.fromkeys(TARGETS if targets is None else targets):
        try:
            _check_target(graph, target)
        except SpecError as error:
            if targets is not None:
                raise
            skipped += [Skipped(target, "it", d.message, d.help) for d in error.diagnostics]
        else:
            chosen.append(target)
    if not chosen:
        help_ = "pip install 'netspec-compiler[all]'"
        raise SpecError(Diagnostic("no-target", "there is no target to verify", help=help_))
    return chosen, skipped


def _check_target(graph: Graph, target: str) -> None:
    """Raise `SpecError` where a target is not installed or cannot realise the graph."""
    missing = [module for module in _NEEDS.get(target, {}) if find_spec(module) is None]
    if missing:
        extra = _NEEDS[target][missing[0]]
        raise SpecError(
            Diagnostic(
                "missing-package",
                f"the package `{missing[0]}` is not installed",
                help=f"pip install 'netspec-compiler[{extra}]'",
            )
        )
    load_backend(target).ROWS.check(graph)


def _can_run(graph: Graph, target: str) -> bool:
    """Whether a target is installed and can realise the graph."""
    try:
        _check_target(graph, target)
    except SpecError:
        return False
    return True


def _yardsticks(graph: Graph, precisions: Sequence[str]) -> list[Job]:
    """The float32 runs that bound those of the targets."""
    if "float32" not in precisions:
        return []
    return [_ROUNDED, _TORCH] if _can_run(graph, "torch") else [_ROUNDED]


def _answer(answers: Mapping[Job, Answer | Crash], job: Job) -> Answer:
    answer = answers[job]
    if isinstance(answer, Crash):
        raise RuntimeError(
            f"the {job.precision} reference crashed ({answer.ending}):\n{answer.stderr}"
        )
    return answer


def _limits(graph: Graph, answers: Mapping[Job, Answer | Crash], truth: Answer) -> Limits:
    """A PyTorch that crashes bounds nothing; NumPy does not crash."""
    rounded = _answer(answers, _ROUNDED) if _ROUNDED in answers else None
    torch = answers.get(_TORCH)
    return Limits(graph, truth, rounded, torch if isinstance(torch, Answer) else None)
