"""The public names of netspec; each is loaded when it is first used, so that `import netspec` costs nothing."""

from importlib import import_module
from pathlib import Path
from typing import Any

# A checkout keeps `backends/` and `grammar/` beside this folder; an installed package has them inside it.
_beside = Path(__file__).resolve().parent.parent
if not (Path(__file__).parent / "backends").is_dir() and (_beside / "backends").is_dir():
    __path__.append(str(_beside))

_HOMES: dict[str, str] = {}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
