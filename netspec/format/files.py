"""Which files are formatted, and how a change is shown. Knows nothing of the canonical form."""

import os
from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import Path


def spec_files(paths: Iterable[str]) -> Iterator[str]:
    """The paths, with each folder's `.net` files in its place. Hidden folders are passed over."""
    for path in paths:
        if not os.path.isdir(path):
            yield path
            continue
        for folder, folders, files in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield from (str(Path(folder, name)) for name in sorted(files) if name.endswith(".net"))


def unified_diff(name: str, before: str, after: str) -> str:
    """What would change in a file, as `patch` reads it."""
    from difflib import unified_diff as lines  # slow to import

    found = lines(StringIO(before).readlines(), StringIO(after).readlines(), name, name)
    ended = (
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in found
    )
    return "".join(ended)
