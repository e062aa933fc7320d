"""Makes one layer of parallel linear branches that are added up."""

from __future__ import annotations

from netspec.ir import Graph, Node
from netspec.passes import Model, Note
from netspec.passes.branches.kernels import add_up
from netspec.passes.branches.part import of_layer, read_part_kernel
from netspec.passes.branches.plan import Plan, plan_all
from netspec.passes.kernel import write_kernel
from netspec.passes.rewrite import carry, followed, rewrite
from netspec.weights import Array, Weights

_STEP = "merge-branches"


def merge_branches(model: Model) -> Model:
    """The model in which linear branches of one tensor that are added up are one layer.

    1. A branch is a convolution, a transposed one, a dense layer, an average pool of equal windows, an
       affine map of the channels (such as a batch norm), or the tensor itself. Sums within sums, with
       `sub` and `mean`, are one sum.
    2. Small kernels move into the window of a large one, to the places that they read. Strides are
       equal, and so is what stands in the padding.
    3. No work is added: the kernel has no more numbers than those that become it have together.
    4. A branch stays where something else reads it, where it is a result, and where it shares its
       weights with a layer that does not merge likewise.
    5. The layer has the name of the branch that has the largest kernel, the first of equal ones.
    """
    graph = model.graph
    changed: dict[str, Node] = {}
    replaced: dict[str, str] = {}
    found: dict[str, Array] = {}
    notes: list[Note] = []
    for plan in plan_all(graph, model.weights):
        notes += (
            Note(_STEP, name, False, f"stays: {reason}") for name, reason in plan.reasons.items()
        )
        total = plan.total.node
        for merged, branches in plan.layers:
            seed = merged.seed
            changed[seed.name] = seed.model_copy(update={"op": merged.layer})
            gone = [branch.part.node.name for branch in branches if branch.part.node is not None]
            gone.remove(seed.name)
            replaced |= dict.fromkeys(gone, seed.name)
            notes += (Note(_STEP, name, True, f"into `{seed.name}`") for name in gone)
        if not plan.layers:
            continue
        replaced |= dict.fromkeys(plan.total.inner, plan.layers[0][0].seed.name)
        inputs = tuple(term.name for term in plan.terms)
        if plan.op is None:
            replaced[total.name] = inputs[0]
            notes.append(Note(_STEP, total.name, True, f"gone: `{inputs[0]}` gives it"))
        else:
            changed[total.name] = total.model_copy(update={"op": plan.op, "inputs": inputs})
            notes.append(Note(_STEP, total.name, True, f"{plan.op.kind} of {len(inputs)} branches"))
        if model.weights is not None:
            found |= _weights(graph, plan, model.weights)
    weights = None if model.weights is None else {**model.weights, **found}
    return carry(
        model._replace(weights=weights), rewrite(graph, changed, followed(replaced)), notes
    )


def _weights(graph: Graph, plan: Plan, weights: Weights) -> dict[str, Array]:
    """The weights of the layers that a plan makes."""
    found: dict[str, Array] = {}
    signs = {term.name: term.factor for term in plan.terms}
    for merged, branches in plan.layers:
        kernels = (
            (
                signs[merged.seed.name] * branch.factor,
                branch.part.taps,
                read_part_kernel(graph, branch.part, weights),
            )
            for branch in branches
        )
        part = merged.part
        kernel = add_up(kernels, part.taps, (part.outputs, part.x.axis("c")), part.groups)
        stem = graph.owner(merged.seed).name
        found |= write_kernel(merged.layer, of_layer(merged.layer, kernel), stem)
    return found
