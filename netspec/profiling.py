"""Where a run's time went, from ONNX Runtime's own profile: by node and by op. Knows nothing of specs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

_KERNEL = "_kernel_time"


class Cost(NamedTuple):
    """What one node, or all nodes of one op, took: the number of calls, and microseconds in all of them."""

    name: str
    op: str
    calls: int
    microseconds: int


class Profile(NamedTuple):
    """The nodes and the ops, the dearest first, and the time of all nodes together."""

    nodes: Sequence[Cost]
    ops: Sequence[Cost]
    microseconds: int


def read_profile(path: str | Path) -> Profile:
    """The profile in a file that an ONNX Runtime session wrote. Fused nodes have ONNX Runtime's names."""
    nodes: dict[tuple[str, str], list[int]] = {}
    for event in json.loads(Path(path).read_text("utf-8")):
        name = event.get("name", "")
        if event.get("cat") == "Node" and name.endswith(_KERNEL):
            key = (name.removesuffix(_KERNEL), event["args"]["op_name"])
            nodes.setdefault(key, []).append(event["dur"])
    costs = [Cost(name, op, len(taken), sum(taken)) for (name, op), taken in nodes.items()]
    ops: dict[str, Cost] = {}
    for _, op, calls, microseconds in costs:
        before = ops.get(op, Cost(op, op, 0, 0))
        ops[op] = Cost(op, op, before.calls + calls, before.microseconds + microseconds)
    return Profile(
        _dearest(costs), _dearest(ops.values()), sum(each.microseconds for each in costs)
    )


def profile_table(profile: Profile, most: int = 12) -> str:
    """The dearest nodes and ops with their shares."""
    lines = [f"{profile.microseconds / 1000:.3f} ms in {len(profile.nodes)} nodes"]
    for title, costs in (("node", profile.nodes), ("op", profile.ops)):
        width = max([len(title), *(len(each.name) for each in costs[:most])])
        kinds = max([2, *(len(each.op) for each in costs[:most])])
        head = (
            f"{title:<{width}}  {'op' if title == 'node' else '':<{kinds}}  calls        ms   share"
        )
        lines += ["", head.replace("  " + " " * kinds, "", 1) if title == "op" else head]
        for each in costs[:most]:
            share = each.microseconds / max(profile.microseconds, 1)
            kind = f"  {each.op:<{kinds}}" if title == "node" else ""
            figures = f"{each.calls:>5}  {each.microseconds / 1000:>8.3f}  {share:>6.1%}"
            lines.append(f"{each.name:<{width}}{kind}  {figures}")
        if len(costs) > most:
            rest = sum(each.microseconds for each in costs[most:])
            lines.append(f"and {len(costs) - most} more, {rest / 1000:.3f} ms")
    return "\n".join(lines)


def _dearest(costs: Iterable[Cost]) -> list[Cost]:
    return sorted(costs, key=lambda each: (-each.microseconds, each.name))
