"""Which of an op's names is its own. Knows nothing of layout."""

from netspec import tree
from netspec.ops import find, names


def canonical_names(file: tree.File) -> dict[str, str]:
    """For each alias its op's own name, where the file gives neither of the two another meaning."""
    if any(isinstance(item, tree.Use) for item in file.items):
        return {}  # what another file defines is not known here
    own = {name: op.kind for name in names() if (op := find(name)) is not None and op.kind != name}
    bound = _bound(file)
    return {alias: name for alias, name in own.items() if alias not in bound and name not in bound}


def _bound(file: tree.File) -> set[str]:
    """What the file defines anywhere: blocks, parameters, variables, shared steps."""
    found: set[str] = set()
    rest: list[object] = [file.items]
    while rest:
        node = rest.pop()
        if isinstance(node, tree.Targets):
            found.update(item.name for item in node.items if isinstance(item, tree.Name))
        elif isinstance(node, (tree.Block, tree.Share)):
            found.add(node.name.name)
        elif isinstance(node, tree.Parameter):
            found.add(node.name)
        if isinstance(node, tuple):
            rest.extend(node)
    return found
