"""What a job is: which rows become which part of the output. A folder holds its plan and the parts that are done."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from netspec.backend import need
from netspec.diagnostics import Diagnostic, SpecError
from netspec.files import write_atomically

try:
    import fcntl
except ImportError:  # Windows: nothing keeps two runs apart
    fcntl = None  # type: ignore[assignment]

PLAN, MODEL = "_plan.json", "_model.onnx"
"""Names in the output folder; readers of Parquet datasets pass over those that begin with `_` or a dot."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class DataFile(_Record):
    """A file of the dataset, as it was when the job was planned."""

    path: str
    size: int
    modified: int


class Shard(_Record):
    """Rows that become one part: `rows` of a source, from number `start` on.

    A Parquet file is read by row groups: those that hold the rows, `skip` of whose rows come before them.
    Images are files of their own; `files` names them, and the source is the folder or pattern that they match.
    """

    number: int
    source: str
    start: int
    rows: int
    groups: tuple[int, ...] = ()
    skip: int = 0
    files: tuple[str, ...] = ()

    @property
    def part(self) -> str:
        """The name of the file that holds its results."""
        return f"part-{self.number:06d}.parquet"


class Choices(_Record):
    """What the results hold.

    `columns` are the columns or arrays that feed each input of the model; where one is not named, it is called like
    the input, or is the only one that can be meant. `keys` are copied to the output. `top` is the number of classes
    to keep of each output, or 0 for the outputs themselves; `labels` name them. Pixels are multiplied by `scale`.
    """

    columns: dict[str, tuple[str, ...]] = {}
    keys: tuple[str, ...] = ()
    softmax: bool = False
    top: int = 0
    labels: tuple[str, ...] = ()
    scale: float = 1 / 255


class Plan(_Record):
    """A job: its model by digest, the files it reads (those beside the model first), what it writes, and its shards."""

    version: int = 1
    model: str
    digest: str
    root: str
    """The folder that relative paths are of."""
    files: tuple[DataFile, ...]
    choices: Choices
    shards: tuple[Shard, ...]

    @property
    def rows(self) -> int:
        """How many rows the dataset has."""
        return sum(shard.rows for shard in self.shards)


def digest_of(path: str | Path) -> str:
    """The SHA-256 of a file."""
    try:
        with open(path, "rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SpecError(
            Diagnostic("unreadable-file", f"cannot read {path}: {error.strerror}")
        ) from None


def described(paths: Sequence[str]) -> tuple[DataFile, ...]:
    """The files as they are now."""
    found = []
    for path in paths:
        status = os.stat(path)
        found.append(
            DataFile(path=os.path.abspath(path), size=status.st_size, modified=status.st_mtime_ns)
        )
    return tuple(found)


def read_plan(folder: Path) -> Plan | None:
    """The plan of the job in a folder, if one began there."""
    try:
        return Plan.model_validate_json((folder / PLAN).read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError:
        message = f"{folder / PLAN} is no plan that this version reads"
        help_ = "choose another folder, or delete this one"
        raise SpecError(Diagnostic("other-job", message, help=help_)) from None


@contextmanager
def settled(folder: Path, plan: Plan) -> Iterator[None]:
    """Begin the job in its folder, or prove that it is the one that began there, and hold the folder meanwhile.

    What was half written is dropped. Raises `SpecError` where the folder holds another job's results or files that
    are none, cannot be written to, or is held by another run.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"cannot write to {folder}: {error.strerror}"
        raise SpecError(Diagnostic("unwritable-file", reason)) from None
    _match(folder, plan)
    with (folder / PLAN).open("rb") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                message = f"another run is at work on {folder}"
                raise SpecError(Diagnostic("busy-job", message, help="wait for it")) from None
        for path in folder.glob(".*.parquet.*"):
            path.unlink(missing_ok=True)
        yield


def _match(folder: Path, plan: Plan) -> None:
    before = read_plan(folder)
    if before is None:
        if any(path.name[0] != "." for path in folder.iterdir()):
            message = f"{folder} holds files, and no job that could go on"
            raise SpecError(Diagnostic("other-job", message, help="choose an empty folder"))
        write_atomically(folder / PLAN, plan.model_dump_json(indent=1).encode())
        return
    if before != plan:
        words = {
            "digest": "another model",
            "files": "other files",
            "choices": "other options",
            "shards": "other parts",
        }
        differing = [said for name, said in words.items() if _differs(before, plan, name)]
        message = (
            f"{folder} holds the results of a job with {' and '.join(differing) or 'another plan'}"
        )
        help_ = "choose another folder, or delete this one"
        raise SpecError(Diagnostic("other-job", message, help=help_))


def _differs(before: Plan, after: Plan, name: str) -> bool:
    different: bool = getattr(before, name) != getattr(after, name)
    return different


def pending(folder: Path, plan: Plan) -> list[Shard]:
    """The shards whose parts are not there. A part appears whole, under its name, or not at all."""
    present = {path.name for path in folder.glob("part-*.parquet")}
    return [shard for shard in plan.shards if shard.part not in present]


def prove(folder: Path, plan: Plan) -> None:
    """Raise `SpecError` unless the parts hold every row of the dataset, and none twice."""
    parquet = need("pyarrow.parquet", "scale")
    wrong = list[Diagnostic]()
    for shard, found in zip(plan.shards, _counted(folder, plan, parquet), strict=True):
        if found != shard.rows:
            message = f"{folder / shard.part} holds {found} rows instead of {shard.rows}"
            help_ = "delete it and repeat the command"
            wrong.append(Diagnostic("damaged-part", message, help=help_))
    if wrong:
        raise SpecError(*wrong)


def _counted(folder: Path, plan: Plan, parquet: object) -> Iterator[int | None]:
    for shard in plan.shards:
        try:
            yield parquet.read_metadata(folder / shard.part).num_rows  # type: ignore[attr-defined]
        except (OSError, ValueError):
            yield None
