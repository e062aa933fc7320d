"""One target in one precision: `python -m netspec.parity.worker FOLDER TARGET PRECISION`."""

from __future__ import annotations

import sys
from pathlib import Path

from netspec.backend import Session, Step, load_backend
from netspec.parity.exchange import Answer, Exercise, Task, write_answer


def run(folder: Path, target: str, precision: str) -> None:
    """Compute the task in `folder`; the answer lies beside it afterwards."""
    graph, weights, exercise = Task.read(folder, precision)
    session = load_backend(target).open_session(graph, weights, precision)
    predictions = tuple(session.predict(inputs) for inputs in exercise.predictions)
    answer = Answer(predictions, _train(session, exercise))
    write_answer(folder / f"{target}.{precision}.npz", answer)


def _train(session: Session, exercise: Exercise) -> Step | None:
    """After the predictions: a step may move the session's running statistics."""
    if exercise.step_inputs is None or exercise.cotangents is None:
        return None
    try:
        return session.train_step(exercise.step_inputs, exercise.cotangents)
    except NotImplementedError:
        return None


if __name__ == "__main__":
    run(Path(sys.argv[1]), *sys.argv[2:])
