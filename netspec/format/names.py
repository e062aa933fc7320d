"""Which of an op's names is its own. Knows nothing of layout."""

from functools import cached_property

from netspec.language import tree
from netspec.ops import own_name, words


class Names:
    """The names of ops as one file may write them."""

    def __init__(self, file: tree.File) -> None:
        self._file = file

    def canonical(self, name: str) -> str:
        """An op's own name for any of its names, where the file gives neither another meaning."""
        own = own_name(name)
        if own is None or own == name or name in self._defined or own in self._defined:
            return name
        return name if self._uses_others else own

    def value(self, name: str) -> str:
        """The own name of an op that is a value, such as a block's argument, unless it may be a word."""
        own = self.canonical(name)
        return name if own == name or name in words() else own

    def takes_ops(self, name: str) -> bool:
        """Whether a step of that name surely takes ops as arguments: a block, and not an op or a variable."""
        if name in self._variables:
            return False
        return name in self._blocks or own_name(name) is None

    @cached_property
    def _blocks(self) -> set[str]:
        """The blocks and nets of the file."""
        return {item.name.name for item in self._file.items if isinstance(item, tree.Block)}

    @cached_property
    def _uses_others(self) -> bool:
        """Whether another file, which is not read here, may define anything."""
        return any(isinstance(item, tree.Use) for item in self._file.items)

    @cached_property
    def _defined(self) -> set[str]:
        """What the file defines anywhere: blocks, parameters, variables, shared steps."""
        return self._variables | self._blocks

    @cached_property
    def _variables(self) -> set[str]:
        """What the file defines that is no block."""
        found: set[str] = set()
        rest: list[object] = [self._file.items]
        while rest:
            node = rest.pop()
            if isinstance(node, tree.Targets):
                found.update(item.name for item in node.items if isinstance(item, tree.Name))
            elif isinstance(node, tree.Share):
                found.add(node.name.name)
            elif isinstance(node, tree.Parameter):
                found.add(node.name)
            if isinstance(node, tuple):
                rest.extend(node)
        return found
