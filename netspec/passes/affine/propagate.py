"""The passes that move affine maps of the channels to where they cost nothing. For inference only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from netspec.backend import need
from netspec.ops import Op
from netspec.ops.affine import Affine
from netspec.ops.norm.batch import BatchNorm
from netspec.passes import Model, Note
from netspec.passes.affine.absorb import cheapest, takes_from_behind, takes_in_front
from netspec.passes.affine.draft import Draft, Plan
from netspec.passes.affine.maps import MAPS, Blocked, Map
from netspec.passes.affine.waves import Stuck, go_back, go_on
from netspec.passes.kernel import LINEAR

if TYPE_CHECKING:
    import numpy as np
else:
    np = need("numpy", "weights")

_Move: TypeAlias = Callable[[Draft, dict[str, Map]], tuple[Plan, str]]
"""How some nodes can go, and what is said of it. Raises `Stuck`."""


def fold_batchnorm(model: Model) -> Model:
    """The model without the batch norms that directly follow a linear layer.

    What `affine_backward` does, for batch norms and the layers of `netspec.passes.kernel` alone, where
    nothing stands between them.
    """

    def move(draft: Draft, movers: dict[str, Map]) -> tuple[Plan, str]:
        plan = go_back(draft, movers, lambda op: isinstance(op, LINEAR), is_direct=True)
        return plan, _told(plan)

    return _moved(model, "fold-bn", lambda op: isinstance(op, BatchNorm), move)


def affine_backward(model: Model) -> Model:
    """The model without the affine maps that the layers before them can take.

    1. A map is a `bn`, `normalize`, `rescale`, `affine`, `scale`, `shift`, `times`, `plus` or `neg`. It goes
       into linear layers, embeddings, norms with a scale of their own, other maps and learned tensors.
    2. On its way it passes ops as `through.ROWS` say, into all branches of a `concat` or a sum.
    3. Each value that it changes is read by nobody else, or by slices of other channels, and is no result.
    4. The layer keeps its path; it gets a bias if it had none and needs one.
    5. A map stays where its numbers, or the weights that it would give, are not finite, or where a
       variance is negative.
    6. What is shared goes everywhere or nowhere, and only into layers that have it in each of their uses.
    7. A map that changes nothing goes.
    8. Without weights the structure alone is rewritten, as if no map had special numbers and rule 5
       never applied; what depends on signs stays.

    The network computes the same up to rounding; doing it once more changes nothing.
    """

    def move(draft: Draft, movers: dict[str, Map]) -> tuple[Plan, str]:
        if all(change.is_identity for change in movers.values()):
            return Plan({}, tuple(movers)), "gone: changes nothing"
        plan = go_back(draft, movers, takes_from_behind)
        return plan, _told(plan)

    return _moved(model, "affine-backward", _is_map, move)


def affine_forward(model: Model) -> Model:
    """The model without the affine maps that the layers behind them can take.

    1. Maps, sharing and numbers are as for `affine_backward`. A map goes into convolutions, dense layers,
       bilinear forms and other maps, and passes ops as `through.ROWS` say.
    2. All that reads it takes it or passes it on, and no result lies on the way.
    3. Where its shift cannot go, since zeros are padded, its scale goes alone and a `shift` stays, unless
       a scale is 0. A batch norm stays as it is: it is one op, as the `shift` would be.
    4. An `affine` that stays and needs only a scale or a shift becomes one.

    The network computes the same up to rounding; doing it once more changes nothing.
    """

    def move(draft: Draft, movers: dict[str, Map]) -> tuple[Plan, str]:
        try:
            return _whole(draft, movers)
        except Stuck as stuck:
            if any(isinstance(draft.op(name), BatchNorm) for name in movers):
                raise
            return _scale_alone(draft, movers, stuck)

    return _moved(model, "affine-forward", _is_map, move)


def scale_forward(model: Model) -> Model:
    """The model in which batch norms, too, leave a `shift` where only their scales can go forward.

    `affine_forward` does that with other maps, where it saves an op. In float32 a `shift` takes as long as a batch
    norm, or longer; in INT8 it is the simpler of the two.
    """

    def move(draft: Draft, movers: dict[str, Map]) -> tuple[Plan, str]:
        try:
            return _whole(draft, movers)
        except Stuck as stuck:
            return _scale_alone(draft, movers, stuck)

    return _moved(model, "scale-forward", lambda op: isinstance(op, BatchNorm), move)


def _whole(draft: Draft, movers: dict[str, Map]) -> tuple[Plan, str]:
    """All of the map goes forward. Raises `Stuck`."""
    plan = go_on(draft, movers, takes_in_front)
    return plan, _told(plan)


def _told(plan: Plan) -> str:
    return f"into {plan.where}" if plan.changed else "gone: nothing reads what it changes"


def _is_map(op: Op) -> bool:
    return isinstance(op, MAPS)


def _moved(model: Model, step: str, moves: Callable[[Op], bool], move: _Move) -> Model:
    """The model after every move that is possible, with a note for each node that moves or would."""
    draft = Draft(model)
    waiting = [n.name for n in model.graph.nodes if n.shares is None and moves(n.op)]
    said: dict[str, Note] = {}
    while True:
        stuck = []
        for owner in waiting:
            uses = draft.uses[owner]
            try:
                movers = {name: draft.map(name) for name in uses}
            except Blocked as reason:
                changed, text = False, f"stays: `{owner}` {reason}"
            else:
                try:
                    plan, text = move(draft, movers)
                except Stuck as reason:
                    changed, text = False, f"stays: {reason}"
                    stuck.append(owner)
                else:
                    changed = True
                    draft.apply(plan)
            said |= {name: Note(step, name, changed, text) for name in uses}
        if len(stuck) == len(waiting):
            draft.notes += said.values()
            return draft.finish()
        waiting = stuck  # what another map stood in the way of may go now


def _scale_alone(draft: Draft, movers: dict[str, Map], stuck: Stuck) -> tuple[Plan, str]:
    """The scale goes where it can, and what is added before it stays. Raises `Stuck`."""
    maps = movers.values()
    if any(change.is_scale or change.is_shift for change in maps):
        return _simpler(draft, movers, stuck)
    try:
        scales = {name: change.scaling() for name, change in movers.items()}
        plan = go_on(draft, scales, takes_in_front, stay=True)
    except Stuck:
        raise stuck from None
    if not plan.changed:  # what reads it is dropped further on
        raise stuck
    if not all(change.scale.all() for change in maps):
        raise Stuck(f"{stuck}, and a scale that could go alone is 0")
    shifts = {
        name: Map(np.ones_like(change.scale), change.shift / change.scale, change.known)
        for name, change in movers.items()
    }
    left = {name: cheapest(change, draft.layer(name)) for name, change in shifts.items()}
    text = f"its scale into {plan.where}, and a shift stays: {stuck}"
    return Plan({**plan.changed, **left}, ()), text


def _simpler(draft: Draft, movers: dict[str, Map], stuck: Stuck) -> tuple[Plan, str]:
    """An `affine` in its cheapest form. Raises `Stuck` where it has that, or for another op."""
    if not all(isinstance(draft.op(name), Affine) for name in movers):
        raise stuck
    found = {name: cheapest(change, draft.layer(name)) for name, change in movers.items()}
    kinds = " and ".join(dict.fromkeys(f"a `{each.op.kind}`" for each in found.values()))
    return Plan(found, ()), f"becomes {kinds}"
