"""Shards on Ray Data: on the cluster that RAY_ADDRESS names, else on one of this process's own, on loopback alone."""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from netspec.backend import need
from netspec.diagnostics import SpecError
from netspec.scoring.worker import Settings, scorer

OBJECT_STORE = 2**28
"""Bytes of shared memory for Ray: numbers of shards pass through it, never the data."""


def run(
    folder: str, numbers: Sequence[int], settings: Settings, workers: int
) -> Iterator[tuple[int, int]]:
    """The number and the rows of each shard that is done, in whatever order.

    What a worker had begun when it died is done anew by another.
    """
    with _cluster(workers):
        data = need("ray.data", "scale")
        context = data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        shards = data.from_items(
            [{"shard": number} for number in numbers], override_num_blocks=len(numbers)
        )
        done = shards.map(
            _score,
            fn_args=(folder, settings),
            compute=data.TaskPoolStrategy(size=workers),
            num_cpus=1,
        )
        yield from map(_outcome, done.iter_rows())


def _score(row: Mapping[str, Any], folder: str, settings: Settings) -> dict[str, Any]:
    """The rows of a shard, or what is wrong with it: Ray makes another exception of each that it passes on."""
    number, wrong, rows = int(row["shard"]), b"", 0
    try:
        rows = scorer(folder, settings).score(number)
    except SpecError as error:
        wrong = pickle.dumps(error)
    return {"shard": number, "rows": rows, "wrong": wrong}


def _outcome(row: Mapping[str, Any]) -> tuple[int, int]:
    if row["wrong"]:
        raise pickle.loads(row["wrong"])
    return row["shard"], row["rows"]


@contextmanager
def _cluster(workers: int) -> Iterator[None]:
    """A connection to Ray; what was started here is shut down, with nothing reported to anyone."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    own: dict[str, Any] = {}
    if not os.environ.get("RAY_ADDRESS"):
        # Without it Ray takes the machine's address even where it is told 127.0.0.1, and listens on all.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        own["num_cpus"] = workers
        own["include_dashboard"] = False
        own["object_store_memory"] = OBJECT_STORE
    ray = need("ray", "scale")
    if ray.is_initialized():
        yield
        return
    ray.init(**own, log_to_driver=False, logging_level=logging.ERROR)
    try:
        yield
    finally:
        ray.shutdown()
