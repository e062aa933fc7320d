"""A search in a file: begun or taken up, its trials proposed so that one that was stopped goes on as if it had not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from netspec.backend import need
from netspec.diagnostics import Diagnostic, SpecError
from netspec.files import unwritable


def prove(path: str) -> None:
    """Raise `SpecError` unless the file is one of studies, or is not there; take off a line that a kill cut short."""
    try:
        with open(path, "r+b") as file:
            first = file.readline()
            file.seek(0)
            lines = file.read().splitlines(keepends=True)
            if first and not _is_record(first):
                help_ = "name another file: `tune` writes it itself"
                raise SpecError(Diagnostic("bad-study", f"{path} is no study", help=help_))
            if lines and not lines[-1].endswith(b"\n"):
                file.truncate(file.tell() - len(lines[-1]))
    except FileNotFoundError:
        return
    except OSError as error:
        raise unwritable(path, error) from None


def _is_record(line: bytes) -> bool:
    try:
        found = json.loads(line)
    except ValueError:
        return False
    return isinstance(found, dict) and "op_code" in found


class Study:
    """A study of Optuna's, which is kept in a journal. Other processes may open the same one."""

    def __init__(self, path: str, name: str, seed: int) -> None:
        """Open the study of that name in a file, or begin it. Raises `SpecError` where it cannot be written to."""
        self._optuna = need("optuna", "tune")
        self._optuna.logging.set_verbosity(self._optuna.logging.ERROR)
        self._seed = seed
        storages = self._optuna.storages
        try:
            backend = storages.journal.JournalFileBackend(path)
            self._study = self._optuna.create_study(
                storage=storages.JournalStorage(backend),
                study_name=name,
                load_if_exists=True,
                direction="maximize",
                pruner=self._optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1),
            )
        except OSError as error:
            raise unwritable(path, error) from None

    def done(self) -> list[Any]:
        """The trials that came to an end, in their order."""
        state = self._optuna.trial.TrialState
        return list(self._study.get_trials(states=(state.COMPLETE, state.PRUNED)))

    def take_up(self) -> None:
        """Begin again the trials that a run which was killed had begun. No other run may be at work."""
        state = self._optuna.trial.TrialState
        waiting = [each.params for each in self._study.get_trials(states=(state.WAITING,))]
        for trial in self._study.get_trials(states=(state.RUNNING,)):
            self._study.tell(trial.number, state=state.FAIL)
            if trial.params and trial.params not in waiting:
                self._study.enqueue_trial(trial.params)

    def try_one(self, objective: Callable[[Any], float], number: int) -> Any:
        """A trial, which is the study's `number`th that comes to an end: the seed and this number say what is drawn."""
        seed = (self._seed + number) % 2**32
        self._study.sampler = self._optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        ended: list[Any] = []
        self._study.optimize(
            objective, n_trials=1, callbacks=[lambda _, trial: ended.append(trial)]
        )
        return ended[0]

    def remember(self, key: str, value: Any) -> None:
        """Keep something of the whole study."""
        self._study.set_user_attr(key, value)

    def recall(self, key: str) -> Any:
        """What is kept so; None where nothing is."""
        return self._study.user_attrs.get(key)
