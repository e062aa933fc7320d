"""A search in a file: begun or taken up, its trials proposed so that one that was stopped goes on as if it had not."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count, islice
from typing import Any

from netspec.backend import need
from netspec.diagnostics import Diagnostic, SpecError
from netspec.files import unwritable

_DRAW = "draw"
"""What a trial calls the number of its draw."""


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
        """Give up the trials that a run which was stopped had begun. No other run may be at work."""
        state = self._optuna.trial.TrialState
        for trial in self._study.get_trials(states=(state.RUNNING,)):
            self._study.tell(trial.number, state=state.FAIL)

    def missing(self, trials: int) -> list[int]:
        """The draws that have no end yet, for so many trials in all."""
        drawn = {trial.user_attrs.get(_DRAW, trial.number) for trial in self.done()}
        free = (number for number in count() if number not in drawn)
        return list(islice(free, max(trials - len(drawn), 0)))

    def try_one(self, objective: Callable[[Any], float], draw: int) -> Any:
        """A trial: the seed, the number of the draw, and the trials that are done say what it proposes."""

        def numbered(trial: Any) -> float:
            trial.set_user_attr(_DRAW, draw)
            return objective(trial)

        seed = (self._seed + draw) % 2**32
        self._study.sampler = self._optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        ended: list[Any] = []
        self._study.optimize(numbered, n_trials=1, callbacks=[lambda _, trial: ended.append(trial)])
        return ended[0]

    def remember(self, key: str, value: Any) -> None:
        """Keep something of the whole study."""
        self._study.set_user_attr(key, value)

    def recall(self, key: str) -> Any:
        """What is kept so; None where nothing is."""
        return self._study.user_attrs.get(key)
