"""The state of a run after an epoch, in a safetensors file: nothing in it is code. Knows no framework."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from netspec.backend import need
from netspec.diagnostics import Diagnostic, SpecError
from netspec.files import write_atomically
from netspec.training.history import Row
from netspec.training.task import Task
from netspec.weights import Array, np

if TYPE_CHECKING:
    from pathlib import Path

_MAY_DIFFER = frozenset({"epochs", "early_stopping", "min_delta"})
"""What a run that goes on may have otherwise, where its learning rate does not follow from the epochs."""


class Best(NamedTuple):
    """The epoch of the least validation loss, from 0, that loss, and the weights of then."""

    epoch: int
    value: float
    weights: Mapping[str, Array]


class Checkpoint(NamedTuple):
    """What a run needs to go on as if it had never stopped."""

    rows: tuple[Row, ...]
    weights: Mapping[str, Array]
    state: Mapping[str, Array]
    best: Best | None = None
    waited: int = 0


def identity(task: Task, framework: str) -> dict[str, object]:
    """What two parts of one run have in common: network, recipe, framework and examples."""
    recipe = task.recipe.model_dump(mode="json")
    free = _MAY_DIFFER if task.recipe.schedule in ("constant", "step") else _MAY_DIFFER - {"epochs"}
    arrays = [*task.train.inputs.values(), task.train.targets]
    return {
        "network": task.graph.fingerprint,
        "recipe": {name: value for name, value in recipe.items() if name not in free},
        "framework": framework,
        "examples": [crc32(np.ascontiguousarray(array).tobytes()) for array in arrays],
    }


def save(path: Path | str, checkpoint: Checkpoint, run: Mapping[str, object]) -> None:
    """Write it; a file that was there is replaced in one step."""
    best = checkpoint.best
    head = {
        "run": run,
        "rows": checkpoint.rows,
        "best": None if best is None else [best.epoch, best.value],
        "waited": checkpoint.waited,
    }
    groups = {
        "weights": checkpoint.weights,
        "state": checkpoint.state,
        "best": {} if best is None else best.weights,
    }
    tensors = {
        f"{group}/{name}": np.asarray(
            array, order="C"
        )  # `ascontiguousarray` gives a number an axis
        for group, arrays in groups.items()
        for name, array in arrays.items()
    }
    safetensors = need("safetensors.numpy", "weights")
    write_atomically(path, safetensors.save(tensors, {"netspec": json.dumps(head)}))


def load(path: Path | str, run: Mapping[str, object]) -> Checkpoint:
    """Read it. Raises `SpecError` where it is none, or of another run than this."""
    safetensors = need("safetensors", "weights")
    try:
        with safetensors.safe_open(path, "numpy") as file:
            head = json.loads((file.metadata() or {})["netspec"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
        other, rows, best, waited = (head[key] for key in ("run", "rows", "best", "waited"))
    except FileNotFoundError:
        message = f"cannot read {path}: there is no such file"
        raise SpecError(Diagnostic("unreadable-file", message)) from None
    except (safetensors.SafetensorError, OSError, KeyError, ValueError) as error:
        message = f"{path} is no checkpoint of a run: {error}"
        raise SpecError(Diagnostic("bad-checkpoint", message)) from None
    if differing := _differing(other, run):
        message = f"{path} is of a run with another {differing}"
        raise SpecError(Diagnostic("bad-checkpoint", message))

    def group(stem: str) -> dict[str, Array]:
        start = f"{stem}/"
        return {n.removeprefix(start): x for n, x in tensors.items() if n.startswith(start)}

    return Checkpoint(
        tuple(rows),
        group("weights"),
        group("state"),
        None if best is None else Best(best[0], best[1], group("best")),
        waited,
    )


def _differing(found: Mapping[str, object], wanted: Mapping[str, object]) -> str | None:
    """The first thing in which two runs differ."""
    for name, value in wanted.items():
        other = found.get(name)
        if isinstance(value, dict) and isinstance(other, dict):
            if inner := _differing(other, value):
                return f"`{inner}`"
        elif other != value:
            return name
    return None
