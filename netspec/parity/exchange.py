"""What a verification and its workers tell each other, and in which files. Computes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from netspec.backend import Step
from netspec.ir import Graph
from netspec.weights import Array, Weights, dump_weights, load_weights, np

Arrays: TypeAlias = Mapping[str, Array]


class Exercise(NamedTuple):
    """What a network is given: inputs for each prediction, and for a training step if any."""

    predictions: tuple[Arrays, ...]
    step_inputs: Arrays | None = None
    cotangents: Arrays | None = None


class Answer(NamedTuple):
    """What a target made of an exercise; no step where it cannot train or was not asked to."""

    predictions: tuple[dict[str, Array], ...]
    step: Step | None = None


class Task(NamedTuple):
    """A network with its weights for each precision, and what to compute with it."""

    graph: Graph
    weights: Mapping[str, Weights]
    exercise: Exercise

    def write(self, folder: Path) -> None:
        """Fill a folder for `read`."""
        (folder / "graph.json").write_text(self.graph.to_json(), "utf-8")
        for precision, weights in self.weights.items():
            content = dump_weights(weights, self.graph)
            (folder / f"weights.{precision}.safetensors").write_bytes(content)
        _save(folder / "exercise.npz", self.exercise._asdict())

    @staticmethod
    def read(folder: Path, precision: str) -> tuple[Graph, Weights, Exercise]:
        """A task for one precision: its arrays are rounded to it."""
        graph = Graph.from_json((folder / "graph.json").read_text("utf-8"))
        weights = load_weights(folder / f"weights.{precision}.safetensors")
        kept = _load(folder / "exercise.npz", np.dtype(precision))
        exercise = Exercise(
            _in_order(kept["predictions"]), kept.get("step_inputs"), kept.get("cotangents")
        )
        return graph, weights, exercise


def write_answer(path: Path, answer: Answer) -> None:
    """A file for `read_answer`."""
    step = answer.step and answer.step._asdict()
    _save(path, {"predictions": answer.predictions, "step": step})


def read_answer(path: Path) -> Answer:
    """The answer that a worker wrote."""
    kept = _load(path)
    step = kept.get("step")
    return Answer(_in_order(kept["predictions"]), step and Step(**step))


def _in_order(numbered: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(numbered[str(index)] for index in range(len(numbered)))


def _save(path: Path, tree: Mapping[str, Any]) -> None:
    """Nested mappings and tuples of arrays; None is left out. A key is the path to its array."""
    np.savez(path, **dict(_leaves("", tree)))  # type: ignore[arg-type]


def _leaves(path: str, tree: Any) -> Iterator[tuple[str, Array]]:
    if isinstance(tree, tuple):
        tree = {str(index): branch for index, branch in enumerate(tree)}
    if isinstance(tree, Mapping):
        if not tree:
            yield f"{path}/", np.empty(0)
        for name, branch in tree.items():
            yield from _leaves(f"{path}/{name}" if path else name, branch)
    elif tree is not None:
        yield path, tree


def _load(path: Path, dtype: Any = None) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    with np.load(path, allow_pickle=False) as archive:
        for key in archive.files:
            *parents, name = key.split("/")
            branch = tree
            for parent in parents:
                branch = branch.setdefault(parent, {})
            if name:
                array = archive[key]
                branch[name] = np.asarray(array, dtype if array.dtype.kind == "f" else None)
    return tree
