"""Passes over random networks whose instances are used again and again: every use goes the same way."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from optimized import optimized

_STEPS = (
    "relu",
    "tanh",
    "dropout",
    "dense 4",
    "bn",
    "plus 0",
    "add { relu | relu }",
    "add { @ | tanh }",
    "add { dense 4 | dense 4 bias=false | @ }",
    "concat { dense 1 | dense 3 }",
    "concat { relu -> dense 2 | relu -> dense 2 }",
    "add { @ | param 4 init=normal(1) -> exp }",
    "mul { const [1, 2, 3, 4] | @ }",
    "sub { dense 4 | bn }",
)


@st.composite
def shared_networks(draw):
    """Two instances, of which the second may use the first, used on tensors that are now and then the same."""
    steps = st.lists(st.sampled_from(_STEPS), min_size=1, max_size=3).map(" -> ".join)
    inner, outer = draw(steps), draw(steps)
    lines = ["input 4", f"share f = {{ {inner} }}"]
    lines.append(f"share g = {{ {outer}{draw(st.sampled_from(['', ' -> f', ' -> f -> f']))} }}")
    named = ["@"]
    for i in range(draw(st.integers(2, 4))):
        source = draw(st.sampled_from(named))
        uses = draw(st.lists(st.sampled_from(["f", "g", *_STEPS[:4]]), min_size=1, max_size=2))
        lines.append(f"@x{i} = {source} -> {' -> '.join(uses)}")
        named.append(f"@x{i}")
    lines.append(f"{draw(st.sampled_from(['add', 'concat', 'sub']))} {{ {' | '.join(named)} }}")
    return "\n".join(lines)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(shared_networks())
def test_random_shared_networks_keep_their_numbers(text):
    optimized(text)
