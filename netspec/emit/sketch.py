"""How one item looks in source, as a backend sketches it. Knows nothing of any framework."""

from __future__ import annotations

from typing import NamedTuple

from netspec.emit.source import Expr


class Sketch(NamedTuple):
    """Calls whose constants may become parameters, and text that may not.

    `use` is the expression of the item's application, where a target has one beside the construction; its constants
    may become parameters too. What works with the layers of another item has no calls.
    """

    calls: tuple[Expr, ...] = ()
    fixed: str = ""
    use: Expr = None

    def expressions(self) -> tuple[Expr, ...]:
        """All whose constants may become parameters."""
        return (*self.calls, self.use)
